"""Element-wise functions as one pass over memory: small pieces of a step compiled by XLA, on a CPU too."""

from collections.abc import Callable
from functools import cache

import tensorflow as tf

Function = Callable[..., tf.Tensor]


def in_one_loop(function: Function) -> Function:
    """The same function of tensors, computed in float32; the result has the type of the first argument.

    TensorFlow makes a pass of each operation, and its bfloat16 operations take two to three times as long. Where it is
    built without XLA, they are used all the same.
    """

    def compute(*values: tf.Tensor) -> tf.Tensor:
        return tf.cast(function(*[tf.cast(value, tf.float32) for value in values]), values[0].dtype)

    compiled = tf.function(compute, jit_compile=True, autograph=False)
    return lambda *values: (compiled if has_xla() else compute)(*values)


@cache
def has_xla() -> bool:
    """Whether TensorFlow compiles here."""
    with tf.init_scope():
        try:
            tf.function(lambda: tf.zeros(()), jit_compile=True)()
        except tf.errors.OpError:
            return False
    return True
