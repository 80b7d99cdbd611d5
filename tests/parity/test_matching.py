"""Matching against Caffe's `MatchBBox` (bbox_util.cpp, PER_PREDICTION) in plain loops and exact fractions.

Caffe goes through the priors in order and, for each, through the objects still free; a pair replaces the best one so
far only if it overlaps more. So of equal pairs the one with the lower prior wins, then the one with the lower object.
Corners lie on a coarse grid here, where equal IoUs are equal in float32 too.
"""

from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parity.detectors import detector
from parity.inputs import REFERENCES, checksum, training_batch
from ssd.boxes import centers_to_corners
from ssd.training.matcher import match

GRID = 8
IMAGES, OBJECTS, PRIORS = 2, 5, 12  # always padded to, so that XLA compiles once


def jaccard(a, b):
    height, width = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if height <= 0 or width <= 0:
        return Fraction(0)
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return Fraction(height * width, area_a + area_b - height * width)


def match_bbox(objects, priors, threshold):
    """The object of every prior, -1 for none."""
    matched = [-1] * len(priors)
    overlaps = [
        {j: jaccard(prior, one) for j, one in objects.items() if jaccard(prior, one) > 1e-6} for prior in priors
    ]
    pool = list(objects)
    while pool:
        best, best_prior, best_object = Fraction(-1), -1, -1
        for i in range(len(priors)):
            if matched[i] != -1:
                continue
            for j in pool:
                if j in overlaps[i] and overlaps[i][j] > best:
                    best, best_prior, best_object = overlaps[i][j], i, j
        if best_prior == -1:
            break
        matched[best_prior] = best_object
        pool.remove(best_object)
    for i in range(len(priors)):
        if matched[i] != -1:
            continue
        best = Fraction(-1)
        for j in objects:
            if j in overlaps[i] and overlaps[i][j] >= threshold and overlaps[i][j] > best:
                best, matched[i] = overlaps[i][j], j
    return matched


def ours(images, priors, threshold, function=match):
    """`images`: per image {row: box on the grid}; the other rows are padding."""
    boxes, valid = np.zeros((len(images), OBJECTS, 4), np.float32), np.zeros((len(images), OBJECTS), np.bool_)
    for image, objects in enumerate(images):
        for row, box in objects.items():
            boxes[image, row], valid[image, row] = np.array(box) / GRID, True
    corners = tf.constant(np.array(priors) / GRID, tf.float32)
    matches = function(tf.constant(boxes), tf.constant(valid), corners, threshold)
    return np.where(matches.positive, matches.row, -1).tolist()


span = st.tuples(st.integers(0, GRID), st.integers(0, GRID)).filter(lambda ends: ends[0] != ends[1]).map(sorted)
box = st.tuples(span, span).map(lambda spans: (spans[0][0], spans[1][0], spans[0][1], spans[1][1]))
image = st.dictionaries(st.integers(0, OBJECTS - 1), box, max_size=OBJECTS).map(lambda rows: dict(sorted(rows.items())))
compiled = tf.function(match, jit_compile=True)
ROW = [(0, k, GRID, k + 2) for k in range(7)] * 2


@pytest.mark.parametrize("function", [match, compiled], ids=["eager", "xla"])
@settings(max_examples=150, deadline=None)
@given(
    st.lists(image, min_size=IMAGES, max_size=IMAGES),
    st.lists(box, min_size=PRIORS, max_size=PRIORS),
    st.sampled_from([0.25, 0.5, 0.75]),
)
@example([{0: (0, 1, 8, 3), 1: (0, 1, 8, 3)}, {}], ROW[:PRIORS], 0.5)  # the same object twice, no object
@example([{0: (0, 4, 8, 6), 3: (0, 1, 8, 3)}, {2: (0, 2, 8, 5)}], ROW[:PRIORS], 0.5)  # ties of pairs and of priors
def test_matches_are_caffes(function, images, priors, threshold):
    expected = [match_bbox(objects, priors, threshold) for objects in images]
    assert ours(images, priors, threshold, function) == expected


def test_of_equal_pairs_the_lower_prior_goes_first():
    """Objects 0 and 1 are each exactly on a prior, and prior 0 is object 1's: it claims first, which changes nothing;
    object 2 overlaps both by one half and is left to the third."""
    priors = [(0, 4, 8, 8), (0, 0, 8, 4), (0, 2, 8, 6)]
    objects = {0: (0, 0, 8, 4), 1: (0, 4, 8, 8), 2: (0, 2, 8, 6)}
    assert ours([objects], priors, 0.5) == [match_bbox(objects, priors, 0.5)] == [[1, 0, 2]]


def test_of_equal_pairs_the_lower_prior_decides_who_is_left_over():
    """Both objects overlap prior 1 by one half; object 1 overlaps prior 0 as much and claims it first."""
    priors = [(0, 6, 8, 8), (0, 0, 8, 4)]
    objects = {0: (0, 0, 8, 2), 1: (0, 4, 8, 8)}
    assert ours([objects], priors, 0.75) == [match_bbox(objects, priors, 0.75)] == [[1, 0]]


def test_an_overlap_counts_from_a_millionth():
    tiny = np.array([[[0, 0, 1e-3, 0.9e-3], [0, 0, 1e-3, 1.1e-3]]], np.float32)  # IoU 0.9e-6 and 1.1e-6 with the image
    priors = tf.constant([[0.0, 0.0, 1.0, 1.0]])
    for row, positive in ((0, False), (1, True)):
        matches = match(tf.constant(tiny[:, row : row + 1]), tf.constant([[True]]), priors, 0.5)
        assert matches.positive.numpy().tolist() == [[positive]]


def test_where_no_two_objects_want_one_prior_torchvision_matches_the_same():
    """Its SSDMatcher gives every object its best prior, and that of two objects to the later one alone."""
    stored = np.load(REFERENCES / "loss.npz")
    model = detector("backbone=mobilenet_v2", "detector=ssdlite320")
    batch = training_batch(len(model.priors), images=4, classes=20)
    assert checksum(batch.offsets, batch.logits, *batch.boxes, *batch.labels) == stored["checksum"]
    for boxes, expected in zip(batch.boxes, stored["matched"], strict=True):
        padded = tf.constant(boxes[None, :, [1, 0, 3, 2]])
        valid = tf.ones((1, len(boxes)), tf.bool)
        matches = match(padded, valid, tf.constant(centers_to_corners(model.priors)), 0.5)
        assert np.where(matches.positive, matches.row, -1)[0].tolist() == expected.tolist()
