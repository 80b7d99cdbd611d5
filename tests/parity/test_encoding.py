"""Box encoding and decoding against torchvision's BoxCoder(10, 10, 5, 5), and against plain float64 arithmetic."""

from math import exp, log

import numpy as np
import pytest
import tensorflow as tf

from parity.differences import largest_difference
from parity.inputs import REFERENCES, checksum, encoding_pairs
from ssd.models.box_coder import BoxCoder

VARIANCES = (0.1, 0.1, 0.2, 0.2)
SWAP = [1, 0, 3, 2]  # x first ↔ y first


@pytest.fixture(scope="module")
def reference():
    stored = np.load(REFERENCES / "encoding.npz")
    assert checksum(*encoding_pairs()) == stored["checksum"]
    return stored


@pytest.fixture(scope="module")
def pairs():
    """(N, 4) boxes as corners and (N, 4) priors as centres and sizes, y first."""
    boxes, priors = (one[:, SWAP] for one in encoding_pairs())
    centers = np.concatenate([(priors[:, :2] + priors[:, 2:]) / 2, priors[:, 2:] - priors[:, :2]], axis=1)
    return tf.constant(boxes), centers


def test_offsets_are_torchvisions(pairs, reference):
    offsets = np.asarray(BoxCoder(pairs[1], VARIANCES).encode(pairs[0]))[:, SWAP]
    assert largest_difference("encoding, torchvision", offsets, reference["offsets"]) < 1e-4
    # of offsets up to a hundred: as near to the exact value as torchvision's own float32
    assert largest_difference("encoding, torchvision in float64", offsets, reference["exact"]) < 1e-4


def test_offsets_are_the_papers(pairs):
    """Equation 2 with Caffe's variances, one number at a time in float64."""
    expected = []
    for (ymin, xmin, ymax, xmax), (cy, cx, height, width) in zip(
        pairs[0].numpy().tolist(), pairs[1].tolist(), strict=True
    ):
        shift = [((ymin + ymax) / 2 - cy) / height / 0.1, ((xmin + xmax) / 2 - cx) / width / 0.1]
        expected.append([*shift, log((ymax - ymin) / height) / 0.2, log((xmax - xmin) / width) / 0.2])
    assert largest_difference("encoding, float64", BoxCoder(pairs[1], VARIANCES).encode(pairs[0]), expected) < 1e-4


def extreme_offsets():
    return np.random.RandomState(3).uniform(-60, 60, (400, 4)).astype(np.float32)


def test_boxes_are_torchvisions(pairs, reference):
    """Offsets up to 60: sizes beyond exp(ln(1000/16)) times the prior's are limited there as here."""
    offsets = extreme_offsets()
    assert np.mean(offsets[:, 2:] / 5 > log(1000 / 16)) > 0.2
    boxes = np.asarray(BoxCoder(pairs[1], VARIANCES).decode(tf.constant(offsets[:, SWAP])))[:, SWAP]
    assert largest_difference("decoding, torchvision", boxes, reference["decoded"]) < 1e-4


def test_boxes_are_the_papers(pairs):
    expected = []
    for (dx, dy, dw, dh), (cy, cx, height, width) in zip(extreme_offsets().tolist(), pairs[1].tolist(), strict=True):
        center_y, center_x = cy + 0.1 * dy * height, cx + 0.1 * dx * width
        half_height, half_width = (size / 2 * min(exp(0.2 * d), 1000 / 16) for size, d in ((height, dh), (width, dw)))
        corners = center_y - half_height, center_x - half_width, center_y + half_height, center_x + half_width
        expected.append(corners)
    boxes = BoxCoder(pairs[1], VARIANCES).decode(tf.constant(extreme_offsets()[:, SWAP]))
    assert largest_difference("decoding, float64", boxes, expected) < 1e-4
