"""The body of MobileNetV3-Large (arXiv 1905.02244, table 1), under keras.applications' layer names."""

from typing import NamedTuple

import keras

from ssd.models.layers import pad

BATCH_NORM_EPSILON = 1e-3


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


def mobilenet_v3_large_body(
    pixels: keras.KerasTensor, reduced_tail: bool, symmetric_padding: bool, momentum: float
) -> keras.KerasTensor:
    """All layers before the pooling: (B, S, S, 3) float in [-1, 1] → (B, S/32, S/32, 960), 480 with a reduced tail.

    Args:
        pixels: the preprocessed image.
        reduced_tail: half the filters after stride 32 (section 6.3: for detection, as its classes are fewer).
        symmetric_padding: convolutions with stride 2 pad both sides alike (PyTorch), not the end alone (TensorFlow).
        momentum: of the batch norms.
    """
    divisor = 2 if reduced_tail else 1
    tail = 160 // divisor
    blocks = (
        *LARGE,
        Bottleneck(5, 672, tail, True, "hard_swish", 2),
        *[Bottleneck(5, 960 // divisor, tail, True, "hard_swish", 1)] * 2,
    )
    hidden = _convolution(pixels, 16, 3, 2, symmetric_padding, "conv")
    hidden = _norm(hidden, momentum, "conv", "hard_swish")
    for index, block in enumerate(blocks):
        hidden = _bottleneck(hidden, block, index, symmetric_padding, momentum)
    hidden = _convolution(hidden, 6 * tail, 1, 1, symmetric_padding, "conv_1")
    return _norm(hidden, momentum, "conv_1", "hard_swish")


def _bottleneck(
    inputs: keras.KerasTensor, block: Bottleneck, index: int, symmetric: bool, momentum: float
) -> keras.KerasTensor:
    """Expand, depthwise, squeeze and excite, project; a residual where the shape stays (section 5)."""
    prefix = f"expanded_conv_{index}" if index else "expanded_conv"
    hidden = inputs
    if index:
        hidden = _convolution(hidden, block.expanded, 1, 1, symmetric, f"{prefix}_expand")
        hidden = _norm(hidden, momentum, f"{prefix}_expand", block.activation)
    name = f"{prefix}_depthwise"
    explicit = symmetric and block.stride == 2
    hidden = keras.layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="valid" if explicit else "same", use_bias=False, name=name
    )(pad(hidden, block.kernel // 2, name) if explicit else hidden)
    hidden = _norm(hidden, momentum, name, block.activation)
    if block.squeeze_excite:
        hidden = _squeeze_excite(hidden, f"{prefix}_squeeze_excite")
    hidden = _convolution(hidden, block.filters, 1, 1, symmetric, f"{prefix}_project")
    hidden = _norm(hidden, momentum, f"{prefix}_project", None)
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


def _norm(inputs: keras.KerasTensor, momentum: float, name: str, activation: str | None) -> keras.KerasTensor:
    hidden = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, momentum=momentum, name=f"{name}_bn")(inputs)
    return keras.layers.Activation(activation, name=f"{name}_{activation}")(hidden) if activation else hidden
