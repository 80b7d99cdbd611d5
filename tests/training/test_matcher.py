"""Matching by hand: the bipartite rule, the threshold, padding; tests/parity/test_matching.py compares with Caffe's."""

import numpy as np
import pytest
import tensorflow as tf

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


@pytest.mark.parametrize("count", [2, 5])
def test_every_object_owns_a_prior_where_there_are_enough(count):
    objects = [strip(0.4, 0.6)] * count  # the same place: all want the same priors
    priors = [strip(0.4 + 0.01 * k, 0.6 + 0.01 * k) for k in range(8)]
    assert set(run(objects, priors)) >= set(range(count))


def test_objects_that_no_prior_overlaps_enough_are_told():
    objects = [
        strip(0.0, 0.4),
        strip(0.0, 0.1),
        strip(0.8, 0.9),
        [0.0] * 4,
    ]  # matched, by its best alone, none, padding
    priors = tf.constant([strip(0.0, 0.4), strip(0.05, 0.5)], tf.float32)
    valid = tf.constant([[True, True, True, False]])
    matches = match(tf.constant([objects], tf.float32), valid, priors, 0.5)
    assert matches.unmatched.numpy().tolist() == [[False, True, True, False]]
