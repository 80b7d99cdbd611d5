"""Offsets from priors: hand-computed values and round trips."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.boxes import centers_to_corners
from ssd.models.box_coder import MAX_LOG_SCALE, BoxCoder

VARIANCES = (0.1, 0.1, 0.2, 0.2)
side = st.floats(0.05, 1.0)
place = st.floats(-0.5, 1.5)


def test_offsets_of_a_hand_computed_box():
    # The box is the prior moved down by half its height and twice as wide.
    prior = np.array([[0.5, 0.5, 0.2, 0.2]], np.float32)
    box = tf.constant([[0.5, 0.3, 0.7, 0.7]])
    expected = [[0.5 / 0.1, 0.0, 0.0, np.log(2.0) / 0.2]]
    np.testing.assert_allclose(BoxCoder(prior, VARIANCES).encode(box), expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None)
@given(st.tuples(place, place, side, side), st.tuples(place, place, side, side))
def test_decode_inverts_encode(box, prior):
    corners = tf.constant(centers_to_corners(np.array([box], np.float32)))
    coder = BoxCoder(np.array([prior], np.float32), VARIANCES)
    there_and_back = coder.decode(coder.encode(corners))
    np.testing.assert_allclose(there_and_back, corners, atol=1e-4)


def test_decode_limits_the_size_ratio():
    coder = BoxCoder(np.array([[0.5, 0.5, 0.1, 0.1]], np.float32), VARIANCES)
    huge = coder.decode(tf.constant([[0.0, 0.0, 1e6, 0.0]]))
    assert float(huge[0, 2] - huge[0, 0]) == pytest.approx(0.1 * np.exp(MAX_LOG_SCALE), rel=1e-5)
