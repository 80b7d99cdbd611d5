"""MobileNetV3-Large (arXiv 1905.02244, table 1), under keras.applications' layer names."""

from collections.abc import Sequence
from typing import NamedTuple

import keras

from ssd.errors import UserError
from ssd.models.backbones.common import copy_layers, freeze, from_applications, outputs_of
from ssd.models.layers import Preprocess, batch_norm, pad


class Bottleneck(NamedTuple):
    """One row of the paper's table 1; `expanded` counts the filters of the depthwise convolution."""

    kernel: int
    expanded: int
    filters: int
    squeeze_excite: bool
    activation: str
    stride: int


LARGE = (
    Bottleneck(3, 16, 16, False, "relu", 1),
    Bottleneck(3, 64, 24, False, "relu", 2),
    Bottleneck(3, 72, 24, False, "relu", 1),
    Bottleneck(5, 72, 40, True, "relu", 2),
    Bottleneck(5, 120, 40, True, "relu", 1),
    Bottleneck(5, 120, 40, True, "relu", 1),
    Bottleneck(3, 240, 80, False, "hard_swish", 2),
    Bottleneck(3, 200, 80, False, "hard_swish", 1),
    Bottleneck(3, 184, 80, False, "hard_swish", 1),
    Bottleneck(3, 184, 80, False, "hard_swish", 1),
    Bottleneck(3, 480, 112, True, "hard_swish", 1),
    Bottleneck(3, 672, 112, True, "hard_swish", 1),
)


def mobilenet_v3_large(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    freeze_batch_norm: bool = False,
    reduced_tail: bool = False,
    symmetric_padding: bool = False,
) -> keras.Model:
    """MobileNetV3-Large (arXiv 1905.02244); section 6.3: maps from block 12's expansion and the last layer.

    Args, beside those that all have:
        reduced_tail: half the filters behind stride 32; there are no pretrained classifiers of it.
        symmetric_padding: as PyTorch pads; keras.applications' weights were trained without.
    """
    if weights is not None and reduced_tail:
        raise UserError(
            f"backbone.weights={weights} has the full tail of MobileNetV3; set backbone.reduced_tail=false, or "
            "backbone.weights=null to train from random weights"
        )
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1 / 127.5, [1.0, 1.0, 1.0], name="preprocess")(images)
    hidden = _body(pixels, reduced_tail, symmetric_padding)
    model = keras.Model(images, hidden)
    if weights is not None:
        pretrained = from_applications(keras.applications.MobileNetV3Large, weights, input_shape=(224, 224, 3))
        copy_layers({layer.name: layer.get_weights() for layer in pretrained.layers if layer.weights}, model)
    maps = outputs_of(model, feature_layers)
    freeze(model, freeze_until, freeze_batch_norm)
    return keras.Model(images, maps, name="mobilenet_v3_large")


def _body(pixels: keras.KerasTensor, reduced_tail: bool, symmetric_padding: bool) -> keras.KerasTensor:
    """All layers before the pooling: (B, S, S, 3) float in [-1, 1] → (B, S/32, S/32, 960), 480 with a reduced tail.

    Args:
        pixels: the preprocessed image.
        reduced_tail: half the filters after stride 32 (section 6.3: for detection, as its classes are fewer).
        symmetric_padding: convolutions with stride 2 pad both sides alike (PyTorch), not the end alone (TensorFlow).
    """
    divisor = 2 if reduced_tail else 1
    tail = 160 // divisor
    blocks = (
        *LARGE,
        Bottleneck(5, 672, tail, True, "hard_swish", 2),
        *[Bottleneck(5, 960 // divisor, tail, True, "hard_swish", 1)] * 2,
    )
    hidden = _convolution(pixels, 16, 3, 2, symmetric_padding, "conv")
    hidden = _norm(hidden, "conv", "hard_swish")
    for index, block in enumerate(blocks):
        hidden = _bottleneck(hidden, block, index, symmetric_padding)
    hidden = _convolution(hidden, 6 * tail, 1, 1, symmetric_padding, "conv_1")
    return _norm(hidden, "conv_1", "hard_swish")


def _bottleneck(inputs: keras.KerasTensor, block: Bottleneck, index: int, symmetric: bool) -> keras.KerasTensor:
    """Expand, depthwise, squeeze and excite, project; a residual where the shape stays (section 5)."""
    prefix = f"expanded_conv_{index}" if index else "expanded_conv"
    hidden = inputs
    if index:
        hidden = _convolution(hidden, block.expanded, 1, 1, symmetric, f"{prefix}_expand")
        hidden = _norm(hidden, f"{prefix}_expand", block.activation)
    name = f"{prefix}_depthwise"
    explicit = symmetric and block.stride == 2
    hidden = keras.layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="valid" if explicit else "same", use_bias=False, name=name
    )(pad(hidden, block.kernel // 2, name) if explicit else hidden)
    hidden = _norm(hidden, name, block.activation)
    if block.squeeze_excite:
        hidden = _squeeze_excite(hidden, f"{prefix}_squeeze_excite")
    hidden = _convolution(hidden, block.filters, 1, 1, symmetric, f"{prefix}_project")
    hidden = _norm(hidden, f"{prefix}_project", None)
    if hidden.shape == inputs.shape:
        hidden = keras.layers.Add(name=f"{prefix}_add")([inputs, hidden])
    return hidden


def _squeeze_excite(inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Each channel times a gate between 0 and 1 that all channels' means decide, through a quarter of the filters."""
    filters = inputs.shape[-1]
    gate = keras.layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_avg_pool")(inputs)
    gate = keras.layers.Conv2D(_divisible_by_8(filters / 4), 1, activation="relu", name=f"{name}_conv")(gate)
    gate = keras.layers.Conv2D(filters, 1, activation="hard_sigmoid", name=f"{name}_conv_1")(gate)
    return keras.layers.Multiply(name=f"{name}_mul")([inputs, gate])


def _divisible_by_8(value: float) -> int:
    """The nearest multiple of 8, but at most a tenth less (MobileNetV2's rule for all its widths)."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


def _convolution(
    inputs: keras.KerasTensor, filters: int, kernel: int, stride: int, symmetric: bool, name: str
) -> keras.KerasTensor:
    explicit = symmetric and stride == 2
    return keras.layers.Conv2D(
        filters, kernel, stride, padding="valid" if explicit else "same", use_bias=False, name=name
    )(pad(inputs, kernel // 2, name) if explicit else inputs)


def _norm(inputs: keras.KerasTensor, name: str, activation: str | None) -> keras.KerasTensor:
    hidden = batch_norm(f"{name}_bn")(inputs)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(hidden) if activation else hidden
