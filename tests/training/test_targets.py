"""Targets, looked at without a loss."""

import numpy as np
import tensorflow as tf

from ssd.boxes import centers_to_corners
from ssd.models.box_coder import BoxCoder
from ssd.training.targets import TargetEncoder

# Four priors side by side, a quarter of the image wide each.
PRIORS = np.array([[0.5, (k + 0.5) / 4, 1.0, 0.25] for k in range(4)], np.float32)


def test_targets_of_two_images_by_hand():
    """One image has an object that is prior 1, half of it moved right by a tenth of its width; the other is empty."""
    box = centers_to_corners(PRIORS[1:2])[0] + np.array([0, 0.025, 0, 0.025], np.float32)
    boxes = np.zeros((2, 2, 4), np.float32)
    boxes[0, 0] = box
    labels = np.full((2, 2), -1, np.int32)
    labels[0, 0] = 6
    targets = TargetEncoder(BoxCoder(PRIORS, (0.1, 0.1, 0.2, 0.2)), match_iou=0.5)(boxes, tf.constant(labels))
    assert targets.classes.numpy().tolist() == [[0, 7, 0, 0], [0, 0, 0, 0]]
    assert targets.positive.numpy().tolist() == [[False, True, False, False], [False] * 4]
    np.testing.assert_allclose(targets.offsets[0, 1], [0.0, 1.0, 0.0, 0.0], atol=1e-5)  # a tenth, by variance 0.1
    np.testing.assert_allclose(targets.offsets[1], np.zeros((4, 4)), atol=1e-5)
    assert (float(targets.objects), float(targets.unmatched)) == (1.0, 0.0)
