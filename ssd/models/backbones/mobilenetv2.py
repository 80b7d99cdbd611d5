"""MobileNetV2 of keras.applications."""

from collections.abc import Sequence

import keras

from ssd.models.backbones.common import freeze, from_applications, outputs_of
from ssd.models.layers import BATCH_NORM_MOMENTUM, Preprocess


def mobilenet_v2(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    freeze_batch_norm: bool = False,
    alpha: float = 1.0,
) -> keras.Model:
    """MobileNetV2 (arXiv 1801.04381), its feature maps as in section 6.2: block 13's expansion and the last layer.

    Args:
        image_size: side of the square input in pixels.
        weights: "imagenet", a `.weights.h5` file of keras.applications' MobileNetV2 without top, or None.
        feature_layers: names of the layers whose output is a feature map.
        freeze_until: this layer and all before it keep their weights; None trains all.
        freeze_batch_norm: batch norms keep the statistics and factors they were loaded with.
        alpha: width multiplier; pretrained weights must have the same.

    Returns:
        A model (B, S, S, 3) uint8 → list of feature maps.

    Raises:
        UserError: weights that cannot be loaded, or a layer name that does not exist.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1 / 127.5, [1.0, 1.0, 1.0], name="preprocess")(images)
    body = from_applications(keras.applications.MobileNetV2, weights, input_tensor=pixels, alpha=alpha)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    maps = outputs_of(body, feature_layers)
    freeze(body, freeze_until, freeze_batch_norm)
    return keras.Model(images, maps, name="mobilenet_v2")
