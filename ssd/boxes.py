"""Box geometry on tensors and arrays. Boxes are normalised ymin, xmin, ymax, xmax, float32."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


def pairwise_iou(first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
    """Intersection over union of every box of `first` with every box of `second`.

    Args:
        first: (..., M, 4) float32 corners.
        second: (N, 4) or (..., N, 4) float32 corners.

    Returns:
        (..., M, N) float32 in [0, 1]; 0 where both boxes are empty.
    """
    top_left = tf.maximum(first[..., :, None, :2], second[..., None, :, :2])
    bottom_right = tf.minimum(first[..., :, None, 2:], second[..., None, :, 2:])
    intersection = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), axis=-1)
    union = _area(first)[..., :, None] + _area(second)[..., None, :] - intersection
    return tf.math.divide_no_nan(intersection, union)


def _area(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)


def centers_to_corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 4) cy, cx, height, width → (N, 4) ymin, xmin, ymax, xmax."""
    center, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([center - half, center + half], axis=1).astype(np.float32)
