"""The MultiBox loss (SSD paper, section 2.2, equations 1 to 3)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.boxes import centers_to_corners, encode
from ssd.training.matcher import match


class Losses(NamedTuple):
    """Scalars, float32: their sum (localisation weighted) and the two parts; `matched` is the batch's positives."""

    total: tf.Tensor
    classification: tf.Tensor
    localisation: tf.Tensor
    matched: tf.Tensor


class MultiBoxLoss:
    """Softmax cross-entropy with hard negative mining plus smooth L1 on the matched priors, in float32.

    Both parts are summed and divided by the number of matched priors in the batch (at least 1). Negatives are mined per
    image: the `negative_ratio` · positives unmatched priors with the highest loss. An image without objects counts as
    one with a single positive here: its `negative_ratio` hardest priors are negatives, so that it teaches the
    background and its loss is finite (Caffe mines none there).

    Args:
        priors: (P, 4) float32 cy, cx, height, width.
        variances: of the offsets, for cy, cx, height, width.
        match_iou: IoU from which a prior is matched.
        negative_ratio: negatives per positive.
        box_weight: factor on the localisation part (alpha in equation 1).
    """

    def __init__(
        self,
        priors: NDArray[np.float32],
        variances: Sequence[float],
        match_iou: float,
        negative_ratio: float,
        box_weight: float,
    ) -> None:
        self.priors = tf.constant(priors)
        self.prior_corners = tf.constant(centers_to_corners(priors))
        self.variances = tf.constant(variances, tf.float32)
        self.match_iou = match_iou
        self.negative_ratio = negative_ratio
        self.box_weight = box_weight

    def __call__(self, boxes: tf.Tensor, labels: tf.Tensor, offsets: tf.Tensor, logits: tf.Tensor) -> Losses:
        """The losses of a batch.

        Args:
            boxes: (B, M, 4) float32 corners, padded.
            labels: (B, M) int32 without background, -1 for padding.
            offsets: (B, P, 4) float32 from the network.
            logits: (B, P, C + 1) float32, background first.
        """
        matches = match(boxes, labels >= 0, self.prior_corners, self.match_iou)
        target_class = tf.where(matches.positive, tf.gather(labels, matches.row, batch_dims=1) + 1, 0)
        class_loss = tf.nn.sparse_softmax_cross_entropy_with_logits(target_class, logits)
        negative = self._hard_negatives(class_loss, matches.positive)
        selected = tf.cast(matches.positive | negative, tf.float32)

        # The unmatched priors get their own corners as target: a finite value that the mask then removes.
        target_box = tf.where(
            matches.positive[..., None], tf.gather(boxes, matches.row, batch_dims=1), self.prior_corners
        )
        error = tf.abs(offsets - encode(target_box, self.priors, self.variances))
        box_loss = tf.reduce_sum(tf.where(error < 1.0, 0.5 * error**2, error - 0.5), axis=-1)

        positive = tf.cast(matches.positive, tf.float32)
        matched = tf.reduce_sum(positive)
        scale = 1.0 / tf.maximum(matched, 1.0)
        classification = tf.reduce_sum(class_loss * selected) * scale
        localisation = tf.reduce_sum(box_loss * positive) * scale
        return Losses(classification + self.box_weight * localisation, classification, localisation, matched)

    def _hard_negatives(self, class_loss: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
        """(B, P) bool: per image the unmatched priors with the highest background loss."""
        loss = tf.where(positive, -1.0, tf.stop_gradient(class_loss))
        positives = tf.reduce_sum(tf.cast(positive, tf.int32), axis=1)
        wanted = tf.cast(tf.cast(tf.maximum(positives, 1), tf.float32) * self.negative_ratio, tf.int32)
        rank = tf.argsort(tf.argsort(loss, axis=1, direction="DESCENDING", stable=True), axis=1, stable=True)
        return (rank < wanted[:, None]) & ~positive
