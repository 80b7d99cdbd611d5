"""Box geometry: hand-computed values."""

import numpy as np
import tensorflow as tf

from ssd.boxes import pairwise_iou


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
