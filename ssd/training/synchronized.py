"""Batch norms on several devices: the statistics of the whole batch, or on each device those of its part."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from ssd.errors import UserError
from ssd.training.replicas import replicas_in_step, summed

Call = Callable[..., Any]


def synchronized_batch_norms(model: keras.Model) -> dict[int, Call]:
    """By the id of each batch norm that learns, the same layer in training, with the statistics of the whole batch.

    Raises:
        UserError: one does not normalise the last axis.
    """
    return {id(layer): _synchronized(layer) for layer in _learning(model)}


def batch_statistics(model: keras.Model) -> list[keras.Variable]:
    """The moving means and variances that a step changes."""
    return [variable for layer in _learning(model) for variable in (layer.moving_mean, layer.moving_variance)]


def _learning(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    layers = (layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization))
    return [layer for layer in layers if layer.trainable]


def _synchronized(layer: keras.layers.BatchNormalization) -> Call:
    rank = len(layer.output.shape)
    if layer.axis not in (-1, rank - 1):
        raise UserError(
            f"training.synchronized_batch_norm: layer {layer.name} normalises axis {layer.axis}, and only the last one "
            "can be; set it to false"
        )
    axes = list(range(rank - 1))

    def call(inputs: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        values = tf.cast(inputs, tf.float32)
        # Around the moving mean, which is the same on all devices, so that little is lost in E[x²] - E[x]².
        middle = tf.stop_gradient(tf.convert_to_tensor(layer.moving_mean.value))
        moments = tf.stack([tf.reduce_mean(power(values - middle), axes) for power in (tf.identity, tf.square)])
        mean, square = tf.unstack(summed(moments) / replicas_in_step())
        variance = tf.maximum(square - tf.square(mean), 0.0)
        mean += middle
        shift, factor = (None if learnt is None else learnt.value for learnt in (layer.beta, layer.gamma))
        outputs = tf.nn.batch_normalization(values, mean, variance, shift, factor, layer.epsilon)
        for moving, new in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
            moving.assign(moving * layer.momentum + new * (1.0 - layer.momentum))
        return tf.cast(outputs, layer.compute_dtype)

    return call
