"""Fitted priors: never worse than the given ones, of SSD's form, the same for the same objects."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.models.prior_fit import FEWEST, MOST, PriorFit, fit_priors
from ssd.models.priors import PriorLevel

LEVELS = (
    PriorLevel(16, 1 / 16, 0.2, 0.4, (2.0,)),
    PriorLevel(4, 1 / 4, 0.4, 0.7, (2.0, 3.0)),
    PriorLevel(1, 1.0, 0.7, 1.0, ()),
)


def objects(count, height, width, seed=0, spread=0.1):
    """`count` boxes of about this size, wherever they fit."""
    rng = np.random.default_rng(seed)
    sides = np.array([height, width]) * np.exp(rng.normal(0, spread, (count, 2)))
    corners = rng.uniform(0, 1 - np.minimum(sides, 0.99))
    return np.concatenate([corners, corners + sides], axis=1).clip(0, 1).astype(np.float32)


def fitted(*arguments) -> PriorFit:
    fit = fit_priors(LEVELS, *arguments)
    assert fit is not None
    return fit


def test_small_flat_objects_are_reached_after_the_fit():
    boxes, labels = objects(200, 0.07, 0.2), np.zeros(200, np.int32)
    fit = fitted(boxes, labels, 0.5, False)
    assert fit.before.recall < 0.2
    assert fit.after.recall > 0.6
    assert fit.after.iou > fit.before.iou + 0.15
    assert fit.scales[0] < 0.2


def test_a_rare_class_is_not_given_up_for_a_frequent_one():
    boxes = np.concatenate([objects(900, 0.45, 0.45, seed=1), objects(60, 0.1, 0.1, seed=2)])
    labels = np.repeat([0, 1], [900, 60]).astype(np.int32)
    fit = fitted(boxes, labels, 0.5, False)
    assert fit.after.class_recall > fit.before.class_recall + 0.1


@st.composite
def sets(draw):
    parts = draw(st.lists(st.tuples(st.floats(0.03, 0.8), st.floats(0.03, 0.8)), min_size=1, max_size=3))
    boxes = [objects(30, height, width, k, spread=0.3) for k, (height, width) in enumerate(parts)]
    return np.concatenate(boxes), np.repeat(np.arange(len(parts)), 30).astype(np.int32)


@settings(max_examples=20, deadline=None)
@given(sets(), st.booleans(), st.sampled_from([0.4, 0.5, 0.6]))
def test_never_worse_and_of_the_same_form(data, clip, match_iou):
    boxes, labels = data
    fit = fitted(boxes, labels, match_iou, clip)
    assert fit.objects == len(boxes)
    # of classes of one size the measure is the recall plus the IoU
    assert fit.after.class_recall + fit.after.iou >= fit.before.class_recall + fit.before.iou - 1e-6
    assert len(fit.scales) == len(LEVELS) + 1
    assert all(0 < a < b for a, b in pairwise(fit.scales))
    assert [len(own) for own in fit.aspect_ratios] == [1, 2, 0]
    assert all(ratio > 1 for own in fit.aspect_ratios for ratio in own)
    assert all(scale >= min(level.scale, level.step / 2) for scale, level in zip(fit.scales, LEVELS, strict=False))
    assert all(type(value) is float for value in (*fit.scales, *fit.aspect_ratios[1]))  # as YAML takes them
    assert fit == fitted(boxes, labels, match_iou, clip)


def test_a_large_set_costs_what_a_small_one_does():
    boxes = np.tile(objects(1000, 0.3, 0.3), (300, 1))
    assert fitted(boxes, np.zeros(len(boxes), np.int32), 0.5, False).objects == MOST


@pytest.mark.parametrize("count", [0, FEWEST - 1])
def test_too_few_objects_say_nothing(count):
    assert fit_priors(LEVELS, objects(count, 0.1, 0.1), np.zeros(count, np.int32), 0.5, clip=False) is None
