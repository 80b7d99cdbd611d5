"""The MultiBox loss (SSD paper, section 2.2, equations 1 to 3)."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from ssd.training.targets import Targets


class Losses(NamedTuple):
    """Scalars, float32: their sum (localisation weighted) and the two parts; `matched` is the batch's positives.

    `objects` are its objects, `unmatched` those that no prior overlaps enough.
    """

    total: tf.Tensor
    classification: tf.Tensor
    localisation: tf.Tensor
    matched: tf.Tensor
    objects: tf.Tensor
    unmatched: tf.Tensor


class MultiBoxLoss:
    """Softmax cross-entropy with hard negative mining plus smooth L1 on the matched priors, in float32.

    Both parts are summed and divided by `Targets.matched` (at least 1): those of the batch, also where a device or a
    micro-batch has only a part of it, whose losses then add up to the batch's. Negatives are mined per image: the
    `negative_ratio` · positives unmatched priors with the highest loss. An image without objects counts as one with a
    single positive here: its `negative_ratio` hardest priors are negatives, so that it teaches the background and its
    loss is finite (Caffe mines none there).

    Args:
        negative_ratio: negatives per positive.
        box_weight: factor on the localisation part (alpha in equation 1).
    """

    def __init__(self, negative_ratio: float, box_weight: float) -> None:
        self.negative_ratio = negative_ratio
        self.box_weight = box_weight

    def __call__(self, targets: Targets, offsets: tf.Tensor, logits: tf.Tensor) -> Losses:
        """The losses of a batch.

        Args:
            targets: of its images.
            offsets: (B, P, 4) float32 from the network.
            logits: (B, P, C + 1) float32, background first.
        """
        class_loss = tf.nn.sparse_softmax_cross_entropy_with_logits(targets.classes, logits)
        with tf.name_scope("mining"):
            negative = self._hard_negatives(class_loss, targets.positive)
        selected = tf.cast(targets.positive | negative, tf.float32)
        box_loss = tf.reduce_sum(_smooth_l1(offsets - targets.offsets), axis=-1)

        positive = tf.cast(targets.positive, tf.float32)
        scale = 1.0 / tf.maximum(targets.matched, 1.0)
        classification = tf.reduce_sum(class_loss * selected) * scale
        localisation = tf.reduce_sum(box_loss * positive) * scale
        total = classification + self.box_weight * localisation
        return Losses(total, classification, localisation, targets.matched, targets.objects, targets.unmatched)

    def _hard_negatives(self, class_loss: tf.Tensor, positive: tf.Tensor) -> tf.Tensor:
        """(B, P) bool: per image the unmatched priors with the highest background loss."""
        loss = tf.where(positive, -1.0, tf.stop_gradient(class_loss))
        positives = tf.reduce_sum(tf.cast(positive, tf.int32), axis=1)
        wanted = tf.cast(tf.cast(tf.maximum(positives, 1), tf.float32) * self.negative_ratio, tf.int32)
        ranked = tf.sort(loss, axis=1, direction="DESCENDING")
        last = tf.gather(ranked, tf.clip_by_value(wanted, 1, loss.shape[1]) - 1, batch_dims=1)[:, None]
        above, equal = loss > last, loss == last
        missing = wanted - tf.reduce_sum(tf.cast(above, tf.int32), axis=1)
        first = tf.cumsum(tf.cast(equal, tf.int32), axis=1) <= missing[:, None]  # of equal ones the first priors
        return (above | (equal & first)) & ~positive


@tf.custom_gradient
def _smooth_l1(error: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """0.5 x² where |x| < 1, else |x| - 0.5 (Fast R-CNN, equation 3), whose gradient is x limited to [-1, 1]."""
    limited = tf.clip_by_value(error, -1.0, 1.0)
    return limited * (error - 0.5 * limited), lambda upstream: upstream * limited
