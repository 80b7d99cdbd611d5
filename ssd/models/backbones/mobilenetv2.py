"""MobileNetV2 of keras.applications."""

from collections.abc import Sequence

import keras

from ssd.models.backbones.common import freeze, from_applications, outputs_of
from ssd.models.layers import BATCH_NORM_MOMENTUM, Preprocess, with_fused_batch_norm


def mobilenet_v2(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    freeze_batch_norm: bool = False,
    alpha: float = 1.0,
) -> keras.Model:
    """MobileNetV2 (arXiv 1801.04381), its feature maps as in section 6.2: block 13's expansion and the last layer.

    Args, beside those that all have:
        alpha: width multiplier; pretrained weights must have the same.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1 / 127.5, [1.0, 1.0, 1.0], name="preprocess")(images)
    body = from_applications(keras.applications.MobileNetV2, weights, input_tensor=pixels, alpha=alpha)
    body = with_fused_batch_norm(body, BATCH_NORM_MOMENTUM)
    maps = outputs_of(body, feature_layers)
    freeze(body, freeze_until, freeze_batch_norm)
    return keras.Model(body.inputs[0], maps, name="mobilenet_v2")
