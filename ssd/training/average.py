"""The exponential moving average of a detector's weights, which is validated and kept in their place."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class WeightAverage:
    """Follows the weights that a training changes: the trained ones and the statistics of batch norms that learn.

    After step n the average is d times itself and 1 - d times the weights, d = min(decay, (1 + n) / (10 + n)): the
    first steps of a training, whose weights mean little, are soon forgotten. That warm-up is the one of TensorFlow's
    `tf.train.ExponentialMovingAverage(num_updates)`; timm's `ModelEmaV3` and ultralytics' `ModelEMA` have others to
    the same end. Frozen weights are those of the model.

    Args:
        model: that is trained; the average begins at its weights.
        decay: in (0, 1); about the last 1 / (1 - decay) steps count.
    """

    def __init__(self, model: keras.Model, decay: float) -> None:
        self._decay = decay
        statistics = [
            variable
            for layer in model.layers
            if layer.trainable
            for variable in layer.non_trainable_variables
            if keras.backend.is_float_dtype(variable.dtype)
        ]
        self._weights = [*model.trainable_variables, *statistics]
        self._averages = [tf.Variable(weight.value, trainable=False) for weight in self._weights]
        self._update = tf.function(self._follow, autograph=False)

    def update(self, step: tf.Tensor) -> None:
        """Takes in the weights after a step.

        Args:
            step: how many have been done.
        """
        self._update(tf.cast(step, tf.float32))

    def _follow(self, step: tf.Tensor) -> None:
        rest = 1.0 - tf.minimum(self._decay, (1.0 + step) / (10.0 + step))
        for average, weight in zip(self._averages, self._weights, strict=True):
            average.assign_sub(tf.cast(rest, average.dtype) * (average - weight.value))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Has the average in the model, and what was there again afterwards, whatever happens."""
        trained = [tf.identity(weight.value) for weight in self._weights]
        try:
            self._assign(self._averages)
            yield
        finally:
            self._assign(trained)

    def _assign(self, values: list[tf.Variable] | list[tf.Tensor]) -> None:
        for weight, value in zip(self._weights, values, strict=True):
            weight.assign(value)

    def values(self) -> NDArray[np.float32]:
        """(N,) all of it, to be stored."""
        return np.concatenate([average.numpy().astype(np.float32).ravel() for average in self._averages])

    def load(self, values: NDArray[np.float32]) -> None:
        """Goes on with what `values` gave.

        Raises:
            ValueError: it is of another network, or of other frozen layers.
        """
        sizes = [int(tf.size(average)) for average in self._averages]
        if len(values) != sum(sizes):
            raise ValueError(f"it has an average of {len(values)} weights, of which {sum(sizes)} are trained")
        parts = np.split(values, np.cumsum(sizes)[:-1])
        for average, part in zip(self._averages, parts, strict=True):
            average.assign(part.reshape(average.shape))
