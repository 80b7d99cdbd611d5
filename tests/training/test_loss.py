"""The MultiBox loss against values computed by hand and by plain loops."""

import numpy as np
import pytest
import tensorflow as tf

from ssd.boxes import centers_to_corners
from ssd.models.box_coder import BoxCoder
from ssd.training.loss import MultiBoxLoss
from ssd.training.targets import TargetEncoder

# Eight priors side by side, an eighth of the image wide each.
PRIORS = np.array([[0.5, (k + 0.5) / 8, 1.0, 0.125] for k in range(8)], np.float32)
CODER = BoxCoder(PRIORS, (0.1, 0.1, 0.2, 0.2))


def make(negative_ratio=3.0, box_weight=1.0):
    """Ground truth and outputs in, losses out."""
    encode_targets, loss = TargetEncoder(CODER, match_iou=0.5), MultiBoxLoss(negative_ratio, box_weight)
    return lambda boxes, labels, offsets, logits: loss(encode_targets(boxes, labels), offsets, logits)


def truth(*rows, size=2):
    """One image's padded boxes and labels; an object lies exactly on the prior `rows` name."""
    boxes, labels = np.zeros((1, size, 4), np.float32), np.full((1, size), -1, np.int32)
    for index, (prior, label) in enumerate(rows):
        boxes[0, index] = centers_to_corners(PRIORS[prior : prior + 1])[0]
        labels[0, index] = label
    return tf.constant(boxes), tf.constant(labels)


def cross_entropy(logits, target):
    return float(np.log(np.exp(logits).sum()) - logits[target])


def test_one_object_hand_computed():
    boxes, labels = truth((2, 1))
    logits = np.zeros((1, 8, 3), np.float32)
    logits[0, :, 0] = [0.1 * k for k in range(8)]  # prior 0 has the highest background loss, then 1, 3, 4, ...
    offsets = np.zeros((1, 8, 4), np.float32)
    offsets[0, 2] = [0.5, 0.0, -2.0, 0.0]  # smooth L1: 0.125 + 1.5
    offsets[0, 5] = 100.0  # unmatched: must not count
    result = make()(boxes, labels, tf.constant(offsets), tf.constant(logits))
    expected = cross_entropy(logits[0, 2], 2) + sum(cross_entropy(logits[0, k], 0) for k in (0, 1, 3))
    assert float(result.classification) == pytest.approx(expected, rel=1e-5)
    assert float(result.localisation) == pytest.approx(1.625, rel=1e-5)
    assert float(result.total) == pytest.approx(expected + 1.625, rel=1e-5)
    assert float(result.matched) == 1


def test_both_parts_are_divided_by_the_positives_of_the_batch():
    one, two = truth((1, 0)), truth((1, 0), (6, 1))
    boxes, labels = (tf.concat(pair, axis=0) for pair in zip(one, two, strict=True))
    random = np.random.default_rng(0)
    logits, offsets = (tf.constant(random.normal(size=(2, 8, n)), tf.float32) for n in (3, 4))
    together = make()(boxes, labels, offsets, logits)
    first, second = (make()(boxes[i : i + 1], labels[i : i + 1], offsets[i : i + 1], logits[i : i + 1]) for i in (0, 1))
    assert float(together.matched) == 3
    assert float(together.total) == pytest.approx((1 * float(first.total) + 2 * float(second.total)) / 3, rel=1e-5)


def test_perfect_predictions_cost_nothing():
    boxes, labels = truth((3, 0), (7, 1))
    logits = np.full((1, 8, 3), -50.0, np.float32)
    logits[0, :, 0] = 50.0
    logits[0, [3, 7], 0] = -50.0
    logits[0, 3, 1] = logits[0, 7, 2] = 50.0
    offsets = CODER.encode(tf.constant(centers_to_corners(PRIORS)))
    assert float(make()(boxes, labels, offsets[None], tf.constant(logits)).total) == pytest.approx(0.0, abs=1e-5)


def test_image_without_objects_teaches_three_negatives():
    boxes, labels = truth()
    logits = np.zeros((1, 8, 3), np.float32)
    logits[0, :, 0] = [0.1 * k for k in range(8)]
    result = make()(boxes, labels, tf.zeros((1, 8, 4)), tf.constant(logits))
    assert float(result.classification) == pytest.approx(
        sum(cross_entropy(logits[0, k], 0) for k in (0, 1, 2)), rel=1e-5
    )
    assert float(result.localisation) == 0.0


def test_gradient_reaches_only_matched_offsets_and_mined_logits():
    boxes, labels = truth((2, 1))
    logits = tf.Variable((np.linspace(0, 1, 24).reshape(1, 8, 3) * [3.0, 1.0, 1.0]).astype(np.float32))
    offsets = tf.Variable(np.ones((1, 8, 4), np.float32))
    with tf.GradientTape() as tape:
        total = make()(boxes, labels, offsets, logits).total
    by_offsets, by_logits = tape.gradient(total, [offsets, logits])
    assert np.flatnonzero(np.abs(by_offsets[0]).sum(1)).tolist() == [2]
    assert np.flatnonzero(np.abs(by_logits[0]).sum(1)).tolist() == [0, 1, 2, 3]  # the object and three negatives


def test_localisation_weight():
    boxes, labels = truth((2, 1))
    offsets, logits = tf.ones((1, 8, 4)), tf.zeros((1, 8, 3))
    one, three = (
        make(box_weight=1.0)(boxes, labels, offsets, logits),
        make(box_weight=3.0)(boxes, labels, offsets, logits),
    )
    assert float(three.total) == pytest.approx(float(one.total) + 2 * float(one.localisation), rel=1e-6)
