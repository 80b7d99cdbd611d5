"""Box geometry: hand-computed values and round trips."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.boxes import MAX_LOG_SCALE, centers_to_corners, decode, encode, pairwise_iou

VARIANCES = tf.constant([0.1, 0.1, 0.2, 0.2])
side = st.floats(0.05, 1.0)
place = st.floats(-0.5, 1.5)


def test_iou_of_hand_computed_pairs():
    first = tf.constant([[0.0, 0.0, 0.5, 0.5], [0.2, 0.2, 0.2, 0.2]])
    second = tf.constant([[0.0, 0.0, 0.5, 0.5], [0.25, 0.0, 0.75, 0.5], [0.5, 0.5, 1.0, 1.0], [0.3, 0.3, 0.3, 0.3]])
    expected = [[1.0, 1 / 3, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]]  # the empty boxes overlap nothing, not even NaN
    np.testing.assert_allclose(pairwise_iou(first, second), expected, atol=1e-6)


def test_iou_takes_a_batch():
    boxes = tf.random.uniform((2, 3, 4), seed=1)
    priors = tf.random.uniform((5, 4), seed=2)
    batched = pairwise_iou(boxes, priors)
    assert batched.shape == (2, 3, 5)
    np.testing.assert_allclose(batched[1], pairwise_iou(boxes[1], priors))


def test_offsets_of_a_hand_computed_box():
    # The box is the prior moved down by half its height and twice as wide.
    prior = tf.constant([[0.5, 0.5, 0.2, 0.2]])
    box = tf.constant([[0.5, 0.3, 0.7, 0.7]])
    expected = [[0.5 / 0.1, 0.0, 0.0, np.log(2.0) / 0.2]]
    np.testing.assert_allclose(encode(box, prior, VARIANCES), expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.tuples(place, place, side, side), st.tuples(place, place, side, side))
def test_decode_inverts_encode(box, prior):
    corners = tf.constant(centers_to_corners(np.array([box], np.float32)))
    priors = tf.constant([prior], tf.float32)
    there_and_back = decode(encode(corners, priors, VARIANCES), priors, VARIANCES)
    np.testing.assert_allclose(there_and_back, corners, atol=1e-4)


def test_decode_limits_the_size_ratio():
    huge = decode(tf.constant([[0.0, 0.0, 1e6, 0.0]]), tf.constant([[0.5, 0.5, 0.1, 0.1]]), VARIANCES)
    assert float(huge[0, 2] - huge[0, 0]) == pytest.approx(0.1 * np.exp(MAX_LOG_SCALE), rel=1e-5)
