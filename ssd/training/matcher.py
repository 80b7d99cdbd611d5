"""Which prior learns which object (SSD paper, section 2.2, "Matching strategy")."""

from typing import NamedTuple

import tensorflow as tf

from ssd.boxes import pairwise_iou
from ssd.training.one_loop import compiled

_OVERLAP = 1e-6  # a smaller IoU is none (MatchBBox)


class Matches(NamedTuple):
    """For every prior of every image.

    Attributes:
        row: (B, P) int32, the object's row in the padded ground truth; 0 where unmatched.
        positive: (B, P) bool, whether the prior is matched.
        unmatched: (B, M) bool, which objects no prior overlaps by `match_iou`: one prior learns them, or none.
    """

    row: tf.Tensor
    positive: tf.Tensor
    unmatched: tf.Tensor


def match(boxes: tf.Tensor, valid: tf.Tensor, prior_corners: tf.Tensor, match_iou: float) -> Matches:
    """Bipartite matching, then every prior whose best object overlaps it enough (Caffe: bbox_util.cpp, MatchBBox).

    The bipartite part is greedy over all pairs, the best pair first, so that every object gets a prior of its own and
    two objects never lose one to the other: with IoUs

                 prior 0   prior 1
        object 0   0.9       0.6
        object 1   0.8       0.1

    object 0 takes prior 0 and object 1, though it prefers prior 0, takes prior 1. An object that overlaps no free
    prior gets none. As in Caffe, an overlap counts from 1e-6, of equal pairs the one with the lower prior, then the
    lower object goes first, and a prior with several best objects is matched to the lowest.

    Args:
        boxes: (B, M, 4) float32 corners, padded.
        valid: (B, M) bool, False for padding, which never matches.
        prior_corners: (P, 4) float32 corners.
        match_iou: IoU from which a prior is matched to its best object.
    """
    iou = _overlaps(boxes, valid, prior_corners)
    return Matches(*_assigned(iou, valid, _bipartite(iou), match_iou))


@compiled
def _overlaps(boxes: tf.Tensor, valid: tf.Tensor, prior_corners: tf.Tensor) -> tf.Tensor:
    """(B, M, P) IoU, -1 of padding."""
    return tf.where(valid[..., None], pairwise_iou(boxes, prior_corners), -1.0)


@compiled
def _assigned(
    iou: tf.Tensor, valid: tf.Tensor, claimed: tf.Tensor, match_iou: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """`Matches` from the (B, M, P) IoU and the (B, M) prior that each object claims, -1 for none."""
    objects, priors = tf.shape(iou)[1], tf.shape(iou)[2]
    rows = tf.range(objects)[:, None]
    highest = tf.reduce_max(iou, axis=1)
    best = tf.reduce_min(tf.where(iou == highest[:, None], rows, objects), axis=1)  # the lowest of equal ones
    claiming = tf.reduce_max(tf.where(claimed[..., None] == tf.range(priors), rows, -1), axis=1)
    positive = (highest >= match_iou) | (claiming >= 0)
    unmatched = valid & (tf.reduce_max(iou, axis=2) < match_iou)
    return tf.where(positive, tf.where(claiming >= 0, claiming, best), 0), positive, unmatched


def _bipartite(iou: tf.Tensor) -> tf.Tensor:
    """(B, M, P) IoU → (B, M) int32, the prior that each object claims, -1 for none.

    At most M - 1 of an object's priors can be taken by others, so its M best ones are enough to search: the greedy
    rounds then run over (B, M, M) instead of (B, M, P). Of equal ones `top_k` gives the lowest, which Caffe takes too.
    """
    objects = tf.shape(iou)[1]
    best, prior = tf.math.top_k(iou, tf.minimum(objects, tf.shape(iou)[2]), sorted=True)  # (B, M, K)
    order = prior * objects + tf.range(objects)[:, None]  # of equal pairs, unique

    def claim(step: tf.Tensor, best: tf.Tensor, claimed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        highest = tf.reduce_max(best, axis=[1, 2])
        found = highest > _OVERLAP
        first = tf.reduce_min(tf.where(best == highest[:, None, None], order, tf.int32.max), axis=[1, 2])
        taken, winner = first // objects, first % objects  # (B,)
        is_winner = tf.equal(tf.range(objects), winner[:, None]) & found[:, None]  # (B, M)
        claimed = tf.where(is_winner, taken[:, None], claimed)
        gone = is_winner[..., None] | (tf.equal(prior, taken[:, None, None]) & found[:, None, None])
        return step + 1, tf.where(gone, -1.0, best), claimed

    claimed = tf.fill(tf.shape(iou)[:2], -1)
    return tf.while_loop(
        lambda step, best, claimed: (step < objects) & tf.reduce_any(best > _OVERLAP),
        claim,
        (tf.constant(0), best, claimed),
        shape_invariants=(tf.TensorShape([]), best.shape, claimed.shape),
    )[2]
