"""Which layer of an exported network goes wrong: its outputs beside those of the float32 network."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD

# Errors of layers that rounding explains.
_AGREED = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-3, "int8": 1e-2, "full_int8": 1e-2}

Outputs = Mapping[str, NDArray[np.float32]]  # of layers, by name


class Layer(NamedTuple):
    """A layer of an exported network.

    Attributes:
        name: in the detector.
        error: of its outputs, as a share of the right ones' size: |difference| / |right|, root mean squares.
        added: of that, what the layers before it do not have: those that its inputs come from.
    """

    name: str
    error: float
    added: float


def outputs_of_layers(network: keras.Model, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What each layer of a network gives, in the order of the network."""
    layers = [layer for layer in network.layers if not isinstance(layer, keras.layers.InputLayer)]
    values = keras.Model(network.inputs, [layer.output for layer in layers])(tf.constant(images), training=False)
    return {layer.name: tf.cast(value, tf.float32).numpy() for layer, value in zip(layers, values, strict=True)}


def blame(model: SSD, images: NDArray[np.uint8], exported: Outputs) -> list[Layer]:
    """The layers whose outputs an export tells, those that add most to the error first.

    Args:
        model: the detector.
        images: (B, S, S, 3).
        exported: what layers of the export give for them; those that the format has merged into others are missing.
    """
    network = FoldedNetwork(model, "float32").keras_model
    before = _before(network)
    errors: dict[str, float] = {}
    layers = []
    for name, right in outputs_of_layers(network, images).items():
        earlier = max((errors[other] for other in before[name] if other in errors), default=0.0)
        is_told = name in exported and exported[name].size == right.size
        errors[name] = _error(right, exported[name]) if is_told else earlier
        if is_told:
            layers.append(Layer(name, errors[name], errors[name] - earlier))
    return sorted(layers, key=lambda layer: layer.added, reverse=True)


def verdict(layers: Sequence[Layer], precision: str) -> str:
    """In a sentence, which of them is to blame, or what comes behind them."""
    if not layers:
        return "the file does not tell its layers' outputs"
    worst = layers[0]
    if (greatest := max(layer.error for layer in layers)) <= _AGREED[precision]:
        return f"the network's layers agree (errors up to {greatest:.1g}), so it is decoding or NMS"
    return f"layer {worst.name} adds most, {worst.added:.2g} of its outputs' size"


def _before(network: keras.Model) -> dict[str, Sequence[str]]:
    """By the name of each layer, those that its inputs come from."""
    return {
        layer.name: [
            tensor._keras_history.operation.name for node in layer._inbound_nodes for tensor in node.input_tensors
        ]
        for layer in network.layers
    }


def _error(right: NDArray[np.float32], value: NDArray[np.float32]) -> float:
    """Of arrays that may have their channels first; where both would fit, it is the order that fits better."""
    orders = [value, value.transpose(0, 2, 3, 1)] if value.ndim == 4 else [value]
    fitting = [order for order in orders if order.shape == right.shape] or [value.reshape(right.shape)]
    if not np.isfinite(value).all():
        return float("inf")
    size = float(np.sqrt(np.mean(np.square(right, dtype=np.float64))))
    off = min(float(np.sqrt(np.mean(np.square(order.astype(np.float64) - right)))) for order in fitting)
    return off / size if size else off
