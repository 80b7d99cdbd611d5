"""Element-wise functions as one pass over memory: small pieces of a step compiled by XLA, on a CPU too."""

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar

import tensorflow as tf

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Function = Callable[..., tf.Tensor]


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """The same function of tensors, whose operations XLA makes one pass of; where TensorFlow has no XLA, as it is."""
    by_xla = tf.function(function, jit_compile=True, autograph=False)
    return lambda *args, **kwargs: (by_xla if has_xla() else function)(*args, **kwargs)


def in_one_loop(function: Function) -> Function:
    """The same function of tensors, computed in float32; the result has the type of the first argument.

    TensorFlow makes a pass of each operation, and its bfloat16 operations take two to three times as long.
    """

    def compute(*values: tf.Tensor) -> tf.Tensor:
        return tf.cast(function(*[tf.cast(value, tf.float32) for value in values]), values[0].dtype)

    return compiled(compute)


@cache
def has_xla() -> bool:
    """Whether TensorFlow compiles here."""
    with tf.init_scope():
        try:
            tf.function(lambda: tf.zeros(()), jit_compile=True, autograph=False)()
        except tf.errors.OpError:
            return False
    return True
