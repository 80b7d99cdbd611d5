"""What priors reach: by hand, and against all priors of a level one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.boxes import centers_to_corners
from ssd.models.prior_reach import level_ious, matched_counts, reach, shape_ious
from ssd.models.priors import PriorLevel, build_priors

# Centres at 0.25 and 0.75; squares of 0.2 and 0.4, then 0.1 x 0.4 (wide) and 0.4 x 0.1 (high).
LEVEL = PriorLevel(cells=2, step=0.5, scale=0.2, next_scale=0.8, aspect_ratios=(4.0,))


def brute_force(level, boxes, clip):
    """(N, cells · cells, A) IoU with every prior."""
    priors = centers_to_corners(build_priors([level], clip).astype(np.float64))
    low = np.maximum(boxes[:, None, :2], priors[:, :2])
    high = np.minimum(boxes[:, None, 2:], priors[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = [(some[:, 2:] - some[:, :2]).prod(axis=1) for some in (boxes, priors)]
    return (shared / (areas[0][:, None] + areas[1] - shared)).reshape(len(boxes), -1, len(level.shapes))


def test_ious_by_hand():
    exact = [0.15, 0.65, 0.35, 0.85]  # the square of 0.2 in the upper right cell
    moved = [0.2, 0.2, 0.4, 0.4]  # the same square, 0.05 down and right of the upper left cell's
    ious = shape_ious(LEVEL, np.array([exact, moved]), clip=False)
    # in the square of 0.4 both lie whole: 0.04 / 0.16; the wide one shares 0.1 x 0.2 with the exact square
    np.testing.assert_allclose(ious[0], [1.0, 0.25, 0.02 / 0.06, 0.02 / 0.06], atol=1e-6)
    shared = 0.15 * 0.15
    wide = 0.1 * 0.2  # rows 0.2 to 0.3 of 0.2 to 0.3, columns 0.2 to 0.4 of 0.05 to 0.45
    np.testing.assert_allclose(ious[1, :2], [shared / (0.08 - shared), 0.25], atol=1e-6)
    np.testing.assert_allclose(ious[1, 2:], [wide / (0.08 - wide)] * 2, atol=1e-6)


@st.composite
def some_boxes(draw):
    corner = st.floats(0, 0.95)
    boxes = []
    for _ in range(draw(st.integers(1, 6))):
        y, x = draw(corner), draw(corner)
        boxes.append([y, x, draw(st.floats(y + 0.01, 1.0)), draw(st.floats(x + 0.01, 1.0))])
    return np.array(boxes)


@st.composite
def a_level(draw):
    cells, scale = draw(st.integers(1, 9)), draw(st.floats(0.05, 0.9))
    step = draw(st.sampled_from([1 / cells, 0.9 / cells, 1.1 / cells]))
    ratios = tuple(draw(st.lists(st.floats(1.1, 5), max_size=2)))
    return PriorLevel(cells, step, scale, scale * draw(st.floats(1.05, 2)), ratios)


@settings(max_examples=150, deadline=None)
@given(a_level(), some_boxes(), st.booleans())
def test_the_nearest_cell_is_as_good_as_all_of_them(level, boxes, clip):
    np.testing.assert_allclose(shape_ious(level, boxes, clip), brute_force(level, boxes, clip).max(axis=1), atol=1e-5)


@settings(max_examples=150, deadline=None)
@given(a_level(), some_boxes(), st.booleans(), st.sampled_from([0.3, 0.5, 0.7]))
def test_counts_are_those_of_all_priors(level, boxes, clip, match_iou):
    ious = brute_force(level, boxes, clip)
    counts = matched_counts(level, boxes, match_iou, clip)
    assert (counts >= (ious >= match_iou + 1e-5).sum(axis=(1, 2))).all()
    assert (counts <= (ious >= match_iou - 1e-5).sum(axis=(1, 2))).all()


def test_more_objects_than_are_looked_at_at_once(monkeypatch):
    boxes = np.random.default_rng(0).uniform(0, 0.5, (10, 2))
    boxes = np.concatenate([boxes, boxes + 0.3], axis=1)
    whole = level_ious([LEVEL, LEVEL], boxes, False)
    monkeypatch.setattr("ssd.models.prior_reach._CHUNK", 3)
    np.testing.assert_array_equal(level_ious([LEVEL, LEVEL], boxes, False), whole)
    assert level_ious([LEVEL], np.zeros((0, 4)), False).shape == (0, 1)


def test_each_class_counts_alike_in_its_recall():
    found = reach(np.array([0.5, 0.6, 0.7, 0.1]), np.array([2, 2, 2, 0]), match_iou=0.5)
    assert found.recall == 0.75
    assert found.class_recall == pytest.approx(0.5)  # all of class 2, none of class 0; there is no class 1
    assert found.iou == pytest.approx(0.475)
