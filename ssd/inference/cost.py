"""What a detector costs: parameters, arithmetic, and the time that one image takes."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from statistics import median
from time import perf_counter

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.inference.predictor import Predictor
from ssd.models.detector import SSD

SECONDS = 1.0  # of timing, after which no further image begins
IMAGES = (3, 50)  # timed: at least, at most


@dataclass(frozen=True)
class Cost:
    """Of one detector, on one machine.

    Attributes:
        parameters: all weights, also those that are not trained.
        gflops: 10^9 floating point operations of the network for one image, see `count_flops`.
        latency_ms: median time from one image of the network's size to its detections, at batch size 1, compiled.
    """

    parameters: int
    gflops: float
    latency_ms: float


def measure_cost(model: SSD, image: NDArray[np.uint8]) -> Cost:
    """Counts and times a detector; takes 1 to 3 seconds.

    Args:
        model: with the weights that are to be used: how long NMS takes depends on what they find.
        image: (H, W, 3) uint8 RGB; resized before the time is taken.
    """
    predictor = Predictor(model, model.nms, batch_size=1)
    size = model.image_size
    images = tf.constant(cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)[None])
    seconds = median_seconds(lambda: predictor.predict_batch(images))
    return Cost(model.count_params(), count_flops(predictor.graph(images)) / 1e9, round(1000 * seconds, 3))


def median_seconds(action: Callable[[], object]) -> float:
    """Of one call, after one that fills caches; of at least three and, as long as a second has not passed, up to 50."""
    action()
    times: list[float] = []
    begin = perf_counter()
    while len(times) < IMAGES[0] or (len(times) < IMAGES[1] and perf_counter() - begin < SECONDS):
        start = perf_counter()
        action()
        times.append(perf_counter() - start)
    return median(times)


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
