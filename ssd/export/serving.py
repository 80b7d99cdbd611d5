"""What exports are made of: a detector's network as a function of TensorFlow whose operations tell their layer."""

import re
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD

Network = Callable[[tf.Tensor], dict[str, tf.Tensor]]

OUTPUTS = ("offsets", "logits")  # of the network

_SCOPE = "layers"  # of operations, before the layer's name


def images_of(model: SSD, batch: int | None = None) -> tf.TensorSpec:
    """The one input of every export: uint8 RGB images of the network's size; None: of any number."""
    return tf.TensorSpec((batch, model.image_size, model.image_size, 3), tf.uint8, name="images")


def every_layer(network: FoldedNetwork) -> Network:
    """What each layer of a network gives, by its name; "offsets" and "logits" are the last ones.

    In a graph its operations are named after their layers, see `layer_of`.
    """

    def run(images: tf.Tensor) -> dict[str, tf.Tensor]:
        values: dict[str, tf.Tensor] = {}

        def call_of(layer: keras.Operation) -> Callable[..., tf.Tensor]:
            def call(*inputs: Any, **options: Any) -> tf.Tensor:
                with tf.name_scope(f"{_SCOPE}/{layer.name}/"):  # as it is, where another one ends without a slash
                    values[layer.name] = layer(*inputs, **options)
                return values[layer.name]

            return call

        network.keras_model._run_through_graph([images], operation_fn=call_of)
        return values

    return run


def network_function(network: FoldedNetwork, model: SSD) -> tf.types.experimental.PolymorphicFunction:
    """A detector's folded network: (B, S, S, 3) images → offsets (B, P, 4), logits (B, P, C + 1)."""
    run = every_layer(network)

    def outputs(images: tf.Tensor) -> dict[str, tf.Tensor]:
        values = run(images)
        return {name: values[name] for name in OUTPUTS}

    return tf.function(outputs, input_signature=[images_of(model)])


def layer_of(operation: str) -> str | None:
    """The layer that an operation of an exported network is part of, by its name; None where that does not tell.

    >>> layer_of("StatefulPartitionedCall/layers/block_1_pad/Pad"), layer_of("Conv__581")
    ('block_1_pad', None)
    """
    found = re.search(rf"(?:^|/){_SCOPE}/([^/;:]+)/", operation)
    return found[1] if found else None


def named_after(layer: str) -> str:
    """A name for an operation that has lost its own, from which `layer_of` gives the layer."""
    return f"{_SCOPE}/{layer}/outputs"
