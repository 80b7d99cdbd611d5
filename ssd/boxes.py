"""Box geometry on tensors: IoU and the offsets of SSD. Boxes are normalised ymin, xmin, ymax, xmax, float32."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

# exp(ln(1000/16)): torchvision's BoxCoder limits the log size ratio so that one bad offset cannot overflow.
MAX_LOG_SCALE = float(np.log(1000.0 / 16.0))


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


def encode(boxes: tf.Tensor, priors: tf.Tensor, variances: tf.Tensor) -> tf.Tensor:
    """Offsets that lead from priors to boxes (SSD paper, section 2.2, with Caffe's variances).

    Args:
        boxes: (..., P, 4) float32 corners with positive sides, one per prior.
        priors: (P, 4) float32 cy, cx, height, width.
        variances: (4,) float32 for cy, cx, height, width.

    Returns:
        (..., P, 4) float32 offsets: (centre distance / prior size, log size ratio) / variance.
    """
    size = boxes[..., 2:] - boxes[..., :2]
    center = (boxes[..., :2] + boxes[..., 2:]) / 2
    shift = (center - priors[:, :2]) / priors[:, 2:]
    scale = tf.math.log(size / priors[:, 2:])
    return tf.concat([shift, scale], axis=-1) / variances


def decode(offsets: tf.Tensor, priors: tf.Tensor, variances: tf.Tensor) -> tf.Tensor:
    """The inverse of `encode`: (..., P, 4) offsets → (..., P, 4) float32 corners."""
    offsets = offsets * variances
    center = offsets[..., :2] * priors[:, 2:] + priors[:, :2]
    half = tf.exp(tf.minimum(offsets[..., 2:], MAX_LOG_SCALE)) * priors[:, 2:] / 2
    return tf.concat([center - half, center + half], axis=-1)
