"""Weights rounded to int8 so that outputs change least, before a quantizer would round each to its nearest value.

Some kernels are differences of large weights, the first depthwise ones of MobileNets among them: what rounding each
weight by itself adds to their sum is then more than the output. So each error is made up for by the weights that are
yet to be rounded, as the inputs' covariance says they can (GPTQ: Frantar and others 2022, arXiv 2210.17323), and what
remains on average goes into the bias. All quantizers here take |largest weight| / 127 of an output channel as its step,
so they find weights that lie on their grid and leave them there.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.inference.folding import FoldedNetwork

_LARGEST = 127
_TINY = 1e-12
_IMAGES = 48  # each of which has thousands of positions
_DAMPING = 1e-3  # of the mean variance: inputs that never vary take no errors of others

Array = NDArray[np.float64]


@dataclass
class _Inputs:
    """What the weights of a layer are multiplied with, in G groups of n: sums over all positions.

    Attributes:
        count: of positions.
        sums: (G, n).
        products: (G, n, n).
    """

    count: int
    sums: Array
    products: Array

    @property
    def mean(self) -> Array:
        """(G, n)."""
        return self.sums / self.count

    @property
    def covariance(self) -> Array:
        """(G, n, n)."""
        mean = self.mean
        return self.products / self.count - mean[:, :, None] * mean[:, None, :]


def rounded_weights(network: FoldedNetwork, images: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
    """All weights of a network, with rounded kernels of depthwise and 1x1 convolutions, whose biases are corrected.

    Larger kernels stay as they are: their sums are of so many products that errors of rounding cancel out.

    Args:
        network: which keeps its own.
        images: (1, S, S, 3) each, of which some are looked at for what comes to each layer.
    """
    given = network.keras_model.get_weights()
    _round(network, images[:: -(-len(images) // _IMAGES)])
    rounded: list[NDArray[np.float32]] = network.keras_model.get_weights()
    network.keras_model.set_weights(given)
    return rounded


@contextmanager
def weighted(network: FoldedNetwork, weights: list[NDArray[np.float32]]) -> Iterator[None]:
    """Within the block a network, which may be the detector itself, has other weights."""
    given = network.keras_model.get_weights()
    network.keras_model.set_weights(weights)
    try:
        yield
    finally:
        network.keras_model.set_weights(given)


def _round(network: FoldedNetwork, images: Iterable[NDArray[np.uint8]]) -> None:
    if not (layers := [layer for layer in network.keras_model.layers if _is_rounded(layer)]):
        return
    for layer, inputs in zip(layers, _inputs(network.keras_model, layers, images), strict=True):
        kernel = layer.kernel.numpy()
        weights = _to_groups(layer, kernel)
        rounded = nearest_outputs(weights, inputs.covariance)
        layer.kernel.assign(_from_groups(layer, rounded, kernel.shape))
        if layer.bias is not None:
            change = np.einsum("gon,gn->go", weights - rounded, inputs.mean)
            layer.bias.assign_add(change.reshape(-1))


def nearest_outputs(weights: Array, covariance: Array) -> Array:
    """Weights on the grid of int8 whose products with inputs vary least from the given ones.

    Args:
        weights: (G, O, n), in G groups of O outputs each; the step of an output's grid is its largest weight / 127,
            which stays.
        covariance: (G, n, n) of the inputs of each group.
    """
    size = weights.shape[-1]
    variances, directions = np.linalg.eigh(covariance)
    damping = _DAMPING * np.maximum(variances.mean(axis=-1, keepdims=True), _TINY)
    scaled = directions / np.sqrt(np.maximum(variances, 0) + damping)[:, None, :]
    upper = np.swapaxes(np.linalg.cholesky(scaled @ np.swapaxes(scaled, 1, 2)), 1, 2)  # of the inverse
    largest = np.abs(weights).max(axis=-1)
    step = np.where(largest > 0, largest, 1.0) / _LARGEST
    is_largest = np.abs(weights) == largest[..., None]
    left, rounded = weights.copy(), weights.copy()
    for place in range(size):
        nearest = np.clip(np.round(left[..., place] / step), -_LARGEST, _LARGEST) * step
        rounded[..., place] = np.where(is_largest[..., place], weights[..., place], nearest)
        error = (left[..., place] - rounded[..., place]) / upper[:, None, place, place]
        left[..., place:] -= error[..., None] * upper[:, None, place, place:]
    return rounded


def _is_rounded(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return True
    return isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1) and layer.groups == 1


def _to_groups(layer: keras.layers.Layer, kernel: NDArray[np.float32]) -> Array:
    """(G, O, n): of a depthwise kernel (h, w, C, M) the channels are groups, of (1, 1, C, O) there is one."""
    height, width, channels, outputs = kernel.shape
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        return kernel.reshape(height * width, channels, outputs).transpose(1, 2, 0).astype(np.float64)
    return kernel.reshape(1, channels, outputs).transpose(0, 2, 1).astype(np.float64)


def _from_groups(layer: keras.layers.Layer, weights: Array, shape: tuple[int, ...]) -> NDArray[np.float32]:
    order = (2, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (0, 2, 1)
    return weights.transpose(order).reshape(shape).astype(np.float32)


def _inputs(
    network: keras.Model, layers: list[keras.layers.Layer], images: Iterable[NDArray[np.uint8]]
) -> list[_Inputs]:
    """What comes to each layer."""
    until_layers = keras.Model(network.inputs, {layer.name: layer.input for layer in layers})

    @partial(tf.function, autograph=False)
    def look(batch: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
        values = until_layers(batch, training=False)
        return [_moments(layer, values[layer.name]) for layer in layers]

    found: list[_Inputs] | None = None
    for batch in images:
        moments = [(sums.numpy(), products.numpy()) for sums, products in look(tf.constant(batch))]
        if found is None:
            found = [_Inputs(0, np.zeros(a.shape), np.zeros(b.shape)) for a, b in moments]
        for inputs, (sums, products) in zip(found, moments, strict=True):
            inputs.count += 1
            inputs.sums += sums
            inputs.products += products
    return found or []


def _moments(layer: keras.layers.Layer, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Of what a layer's weights are multiplied with, means over all positions: (G, n), and of its products."""
    height, width = layer.kernel_size
    patches = tf.image.extract_patches(
        values,
        [1, height, width, 1],
        [1, *layer.strides, 1],
        [1, *layer.dilation_rate, 1],
        layer.padding.upper(),
    )
    channels = values.shape[-1]
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        grouped = tf.transpose(tf.reshape(patches, [-1, height * width, channels]), [2, 0, 1])
    else:
        grouped = tf.reshape(patches, [1, -1, channels])
    count = tf.cast(tf.shape(grouped)[1], tf.float32)
    return tf.reduce_sum(grouped, 1) / count, tf.matmul(grouped, grouped, transpose_a=True) / count
