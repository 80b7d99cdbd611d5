"""What a detector costs: parameters and arithmetic, and, beside others, the time that one image takes."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf, prod
from time import perf_counter

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.load import clock, others
from ssd.models.detector import SSD

TURNS = 24  # of each detector, in which nothing else disturbs
TURN_SECONDS = 0.25  # a turn ends with the first image after it
PATIENCE = 20.0  # seconds for each detector, until it has had them
DISTURBED = 0.05  # share of the cores' time that other processes have in a turn that does not count


@dataclass(frozen=True)
class Cost:
    """Of one detector, on any machine.

    Attributes:
        parameters: all weights, also those that are not trained.
        gflops: 10^9 floating point operations of the network for one image, see `count_flops`.
    """

    parameters: int
    gflops: float


def measure_cost(model: SSD) -> Cost:
    """Counts a detector's weights and arithmetic."""
    image = tf.zeros((1, model.image_size, model.image_size, 3), tf.uint8)
    return Cost(model.count_params(), count_flops(KerasNetwork(model, batch_size=1).graph(image)) / 1e9)


def latencies(detectors: Sequence[tuple[SSD, NDArray[np.uint8]]]) -> list[float]:
    """Milliseconds from one image of the network's size to its detections, at batch size 1, compiled: for comparison.

    Args:
        detectors: each with the weights that are to be used, as how long NMS takes depends on what they find, and
            (H, W, 3) uint8 RGB, resized before the time is taken.

    Raises:
        UserError: other processes leave too little of the machine.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of many compiled functions: here they are meant
    actions = [_detecting(model, image) for model, image in detectors]
    return [round(1000 * seconds, 3) for seconds in shortest_seconds(actions)]


def _detecting(model: SSD, image: NDArray[np.uint8]) -> Callable[[], object]:
    network = KerasNetwork(model, batch_size=1)
    size = model.image_size
    images = tf.constant(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)[None])
    return lambda: network.decode(network.outputs(images))


def shortest_seconds(actions: Sequence[Callable[[], object]]) -> list[float]:
    """Of one call of each action, after one that fills caches.

    Whatever else a machine does makes a call take longer. So the shortest counts, of turns that no other process of
    this machine disturbs; and as there may be other machines on the same processor, which nobody here sees, all
    actions have their turns side by side, again and again.

    Raises:
        UserError: there are too few such turns.
    """
    for action in actions:
        action()
    quiet: list[list[float]] = [[] for _ in actions]
    end = perf_counter() + PATIENCE * len(actions)
    while min(map(len, quiet)) < TURNS:
        if perf_counter() > end:
            raise UserError(
                "other processes keep the machine too busy to measure latency; try again when they are done"
            )
        for action, found in zip(actions, quiet, strict=True):
            before = clock()
            shortest = _turn(action)
            if others(before, clock()) <= DISTURBED:
                found.append(shortest)
    return [min(found) for found in quiet]


def _turn(action: Callable[[], object]) -> float:
    """The shortest call of a turn."""
    shortest = inf
    begin = start = perf_counter()
    while start - begin < TURN_SECONDS:
        action()
        shortest = min(shortest, (now := perf_counter()) - start)
        start = now
    return shortest


def count_flops(graph: tf.Graph) -> int:
    """Floating point operations of a graph's convolutions and dense layers, 2 per multiply-add.

    This is the arithmetic that publications count; the rest (normalisation, activations) is left out, on the networks
    here at most 3 %. `tf.compat.v1.profiler` counts the same for them, except that a dilated convolution is to it what
    TensorFlow makes of it on a CPU, smaller ones over padded tiles, and that it does not look into functions.

    Args:
        graph: with static shapes.
    """
    return sum(_flops(operation) for operation in graph.get_operations())


def _flops(operation: tf.Operation) -> int:
    """A kernel's (h, w, in, out) products of one position, times the positions; in a depthwise one `out` is 1 to 1."""
    kind = operation.type
    if kind in ("PartitionedCall", "StatefulPartitionedCall"):  # Keras compiles grouped convolutions apart
        return count_flops(operation.graph._get_function(operation.get_attr("f").name).graph)
    if kind == "Conv2D":
        return 2 * _outputs(operation) * prod(operation.inputs[1].shape[:3])
    if kind == "DepthwiseConv2dNative":
        return 2 * _outputs(operation) * prod(operation.inputs[1].shape[:2])
    if kind == "Conv2DBackpropInput":  # a transposed convolution: each value of its input meets the kernel once
        return 2 * prod(operation.inputs[2].shape) * prod(operation.inputs[1].shape[:3])
    if kind == "MatMul":
        return 2 * _outputs(operation) * operation.inputs[0].shape[0 if operation.get_attr("transpose_a") else 1]
    return 0


def _outputs(operation: tf.Operation) -> int:
    """Values that an operation gives; of the tiles of a dilated convolution, those that the whole image keeps."""
    (output,) = operation.outputs
    following = output.consumers()
    if len(following) == 1 and following[0].type == "BatchToSpaceND":
        (output,) = following[0].outputs
    return prod(output.shape)
