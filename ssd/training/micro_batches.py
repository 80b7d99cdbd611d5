"""Gradient accumulation: a batch that passes the network in parts, one after the other, in the memory of one part."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from ssd.training.targets import Targets

Sums = TypeVar("Sums")  # a structure of tensors


def summed_over_parts(
    compute: Callable[[tf.Tensor, Targets], Sums], parts: int, image: tf.Tensor, targets: Targets
) -> Sums:
    """The sums, over the parts of a batch, of each tensor that `compute` gives for one of them.

    Args:
        compute: of some of the images, and their targets; its tensors have the same shapes for each part.
        parts: that B is a multiple of; 1 costs nothing.
        image: (B, S, S, 3).
        targets: of the whole batch; its counts stay those of the batch.
    """
    if parts == 1:
        return compute(image, targets)

    def of_part(number: tf.Tensor) -> Sums:
        some, classes, offsets, positive = (
            tf.reshape(values, (parts, values.shape[0] // parts, *values.shape[1:]))[number]
            for values in (image, *targets[:3])
        )
        return compute(some, targets._replace(classes=classes, offsets=offsets, positive=positive))

    def add(number: tf.Tensor, sums: Sums) -> tuple[tf.Tensor, Sums]:
        return number + 1, tf.nest.map_structure(tf.add, sums, of_part(number))

    # the first one outside of the loop tells it the shapes, and is one of the parts
    _, sums = tf.while_loop(lambda number, _: number < parts, add, (1, of_part(0)), parallel_iterations=1)
    result: Sums = sums
    return result
