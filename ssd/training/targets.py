"""What each prior is to say of an image: ground truth on the priors."""

from typing import NamedTuple

import tensorflow as tf

from ssd.models.box_coder import BoxCoder
from ssd.training.matcher import Matches, match
from ssd.training.one_loop import compiled


class Targets(NamedTuple):
    """For every prior of every image.

    Attributes:
        classes: (B, P) int32, 0 for background, else the matched object's label + 1.
        offsets: (B, P, 4) float32, to the matched object; about 0 where none is matched.
        positive: (B, P) bool, whether an object is matched.
        matched: scalar float32, how many priors of the batch are positive, by which the loss is divided.
        objects: scalar float32, how many objects the batch has.
        unmatched: scalar float32, how many of them no prior overlaps enough.
    """

    classes: tf.Tensor
    offsets: tf.Tensor
    positive: tf.Tensor
    matched: tf.Tensor
    objects: tf.Tensor
    unmatched: tf.Tensor


class TargetEncoder:
    """Matches the objects of a batch to priors, and encodes them.

    Args:
        coder: of the detector whose targets these are.
        match_iou: IoU from which a prior is matched.
    """

    def __init__(self, coder: BoxCoder, match_iou: float) -> None:
        self.coder = coder
        self.match_iou = match_iou
        self._of_matches = compiled(self._encode)

    def __call__(self, boxes: tf.Tensor, labels: tf.Tensor) -> Targets:
        """The targets of a batch.

        Args:
            boxes: (B, M, 4) float32 corners, padded.
            labels: (B, M) int32 without background, -1 for padding.
        """
        valid = labels >= 0
        return self._of_matches(boxes, labels, valid, match(boxes, valid, self.coder.corners, self.match_iou))

    def _encode(self, boxes: tf.Tensor, labels: tf.Tensor, valid: tf.Tensor, matches: Matches) -> Targets:
        classes = tf.where(matches.positive, tf.gather(labels, matches.row, batch_dims=1) + 1, 0)
        # Unmatched priors get their own corners: a finite value, which the loss leaves out.
        objects = tf.where(matches.positive[..., None], tf.gather(boxes, matches.row, batch_dims=1), self.coder.corners)
        counted = (matches.positive, valid, matches.unmatched)
        counts = [tf.reduce_sum(tf.cast(which, tf.float32)) for which in counted]
        return Targets(classes, self.coder.encode(objects), matches.positive, *counts)
