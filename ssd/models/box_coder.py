"""Boxes as offsets from priors, and back."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.boxes import centers_to_corners

# exp(ln(1000/16)): torchvision's BoxCoder limits the log size ratio so that one bad offset cannot overflow.
MAX_LOG_SCALE = float(np.log(1000.0 / 16.0))


class BoxCoder:
    """The offsets of SSD (paper, section 2.2, with Caffe's variances; torchvision's `BoxCoder`, y before x).

    Args:
        priors: (P, 4) float32 cy, cx, height, width, as fractions of the image.
        variances: of the offsets, for cy, cx, height, width.

    Attributes:
        priors: as given.
        corners: (P, 4) float32, the priors as ymin, xmin, ymax, xmax.
        variances: (4,) float32.
    """

    def __init__(self, priors: NDArray[np.float32], variances: Sequence[float]) -> None:
        self.priors = np.asarray(priors, np.float32)
        self.corners = centers_to_corners(self.priors)
        self.variances = np.asarray(variances, np.float32)

    def __len__(self) -> int:
        """P, the number of priors."""
        return len(self.priors)

    def encode(self, boxes: tf.Tensor) -> tf.Tensor:
        """Offsets that lead from the priors to boxes.

        Args:
            boxes: (..., P, 4) float32 corners with positive sides, one per prior.

        Returns:
            (..., P, 4) float32: (centre distance / prior size, log size ratio) / variance.
        """
        size = boxes[..., 2:] - boxes[..., :2]
        center = (boxes[..., :2] + boxes[..., 2:]) / 2
        shift = (center - self.priors[:, :2]) / self.priors[:, 2:]
        scale = tf.math.log(size / self.priors[:, 2:])
        return tf.concat([shift, scale], axis=-1) / self.variances

    def decode(self, offsets: tf.Tensor) -> tf.Tensor:
        """The inverse of `encode`, log size ratios limited to `MAX_LOG_SCALE`: (..., P, 4) offsets → corners."""
        offsets = offsets * self.variances
        center = offsets[..., :2] * self.priors[:, 2:] + self.priors[:, :2]
        half = tf.exp(tf.minimum(offsets[..., 2:], MAX_LOG_SCALE)) * self.priors[:, 2:] / 2
        return tf.concat([center - half, center + half], axis=-1)
