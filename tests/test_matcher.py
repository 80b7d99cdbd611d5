"""Matching: the bipartite rule, the threshold, padding."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.training.matcher import match


def run(boxes, priors, match_iou=0.5, valid=None):
    boxes = np.asarray(boxes, np.float32)[None]
    valid = np.ones(boxes.shape[:2], bool) if valid is None else np.asarray(valid)[None]
    matches = match(tf.constant(boxes), tf.constant(valid), tf.constant(priors, tf.float32), match_iou)
    return np.where(matches.positive[0], matches.row[0], -1).tolist()


def strip(left, right):
    """A box of full height."""
    return [0.0, left, 1.0, right]


def test_prior_above_the_threshold_is_matched_to_its_best_object():
    objects = [strip(0.0, 0.4), strip(0.5, 1.0)]
    priors = [strip(0.0, 0.4), strip(0.45, 1.0), strip(0.5, 0.8), strip(0.35, 0.55)]
    assert run(objects, priors) == [0, 1, 1, -1]


def test_object_below_the_threshold_still_gets_its_best_prior():
    assert run([strip(0.0, 0.1)], [strip(0.0, 0.5), strip(0.0, 0.3), strip(0.6, 1.0)]) == [-1, 0, -1]


def test_two_objects_that_want_one_prior_both_get_one():
    # Both objects overlap prior 0 best; object 0 does so more, so object 1 takes its second choice.
    objects = [strip(0.0, 0.30), strip(0.0, 0.25)]
    priors = [strip(0.0, 0.29), strip(0.22, 0.5)]
    assert run(objects, priors) == [0, 1]


def test_object_that_overlaps_no_prior_gets_none():
    assert run([strip(0.8, 0.9)], [strip(0.0, 0.3), strip(0.3, 0.6)]) == [-1, -1]


def test_padding_never_matches():
    objects = [strip(0.0, 0.4), [0.0, 0.0, 0.0, 0.0], strip(0.5, 1.0)]
    assert run(objects, [strip(0.0, 0.4), strip(0.5, 1.0)], valid=[True, False, False]) == [0, -1]


def test_image_without_objects():
    assert run([[0.0, 0.0, 0.0, 0.0]], [strip(0.0, 0.4)], valid=[False]) == [-1]


def plain_match(boxes, valid, priors, match_iou):
    """The same rule as plain loops over a full IoU table."""
    table = np.full((len(boxes), len(priors)), -1.0)
    for i, a in enumerate(boxes):
        for j, b in enumerate(priors):
            if valid[i]:
                height = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
                width = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
                area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - height * width
                table[i, j] = height * width / area if area > 0 else 0.0
    matched = [int(table[:, j].argmax()) if table[:, j].max() >= match_iou else -1 for j in range(len(priors))]
    left = table.copy()
    while left.max() > 0:
        i, j = (int(k) for k in np.unravel_index(left.argmax(), left.shape))
        matched[j] = i
        left[i, :] = -1
        left[:, j] = -1
    return matched


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 30), st.sampled_from([0.3, 0.5, 0.7]))
def test_equals_plain_loops(seed, objects, priors, match_iou):
    random = np.random.default_rng(seed)

    def boxes(count):
        corners = random.uniform(0, 1, (count, 2, 2))
        return np.concatenate([corners.min(1), corners.max(1)], axis=1).astype(np.float32)

    truth, anchors = boxes(objects), boxes(priors)
    valid = random.uniform(size=objects) < 0.8
    assert run(truth, anchors, match_iou, valid) == plain_match(
        truth.astype(float), valid, anchors.astype(float), match_iou
    )


@pytest.mark.parametrize("count", [2, 5])
def test_every_object_owns_a_prior_where_there_are_enough(count):
    objects = [strip(0.4, 0.6)] * count  # the same place: all want the same priors
    priors = [strip(0.4 + 0.01 * k, 0.6 + 0.01 * k) for k in range(8)]
    assert set(run(objects, priors)) >= set(range(count))
