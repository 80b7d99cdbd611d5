"""What is right, confused, missed, false and ignored in one image."""

from typing import Any

import numpy as np
import pytest

from helpers.by_hand import annotation, detections
from helpers.fake_detections import random_set
from ssd.evaluation.confusion import confusion
from ssd.evaluation.outcome import Outcome, judge
from ssd.evaluation.voc import voc_results

LEFT, RIGHT = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
CORNER, INSIDE = (0.6, 0.0, 0.9, 0.3), (0.6, 0.6, 0.7, 0.7)


def told(outcome: Outcome) -> dict[str, list[int]]:
    """The rows of each kind, of those that there are."""
    kinds = ("right", "confused", "missed", "false", "ignored")
    rows = {kind: np.flatnonzero(getattr(outcome, kind)).tolist() for kind in kinds}
    return {kind: found for kind, found in rows.items() if found}


def test_each_kind_by_hand() -> None:
    objects = annotation((0, LEFT, ""), (0, RIGHT, ""), (1, CORNER, ""))
    found = detections((0, 0.9, LEFT), (1, 0.8, RIGHT), (1, 0.7, (0.0, 0.6, 0.3, 0.9)), (1, 0.4, CORNER))
    outcome = judge(found, objects, 0.5)
    assert told(outcome) == {"right": [0], "confused": [1], "missed": [2], "false": [2]}
    assert outcome.claims.tolist()[:2] == [0, 1]
    assert outcome.errors == 3
    assert told(judge(found, objects, 0.4)) == {"right": [0, 3], "confused": [1], "false": [2]}


def test_of_two_detections_of_an_object_the_surer_has_it() -> None:
    outcome = judge(detections((1, 0.6, LEFT), (0, 0.9, LEFT)), annotation((0, LEFT, "")), 0.5)
    assert told(outcome) == {"right": [1], "false": [0]}


def test_a_right_detection_is_right_beside_a_surer_one_of_another_class() -> None:
    found = detections((1, 0.9, LEFT), (0, 0.6, LEFT))
    assert told(judge(found, annotation((0, LEFT, "")), 0.5)) == {"right": [1], "false": [0]}
    assert told(judge(found, annotation((0, LEFT, "")), 0.7)) == {"confused": [0]}


def test_each_object_is_confused_with_one_class_at_most() -> None:
    found = detections((1, 0.9, LEFT), (2, 0.8, LEFT), (2, 0.7, (0.0, 0.02, 0.5, 0.52)))
    objects = annotation((0, LEFT, ""), (0, (0.0, 0.1, 0.5, 0.6), ""))
    assert judge(found, objects, 0.5).claims.tolist() == [0, 1, -1]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ties", [False, True])
def test_right_is_what_precision_and_recall_call_right(seed: int, ties: bool) -> None:
    found, objects = random_set(seed, images=30, ties=ties)
    right = sum(result.counts_at(0.4)[0] for result in voc_results(found, objects, 4))
    judged = (judge(one, annotation_, 0.4) for one, annotation_ in zip(found, objects, strict=True))
    assert sum(int(outcome.right.sum()) for outcome in judged) == right > 0


@pytest.mark.parametrize(("flag", "box"), [("difficult", LEFT), ("crowd", INSIDE)])
def test_difficult_objects_and_crowds_are_neither_missed_nor_wrong(flag: str, box: Any) -> None:
    objects = annotation((0, LEFT if flag == "difficult" else RIGHT, flag))
    assert told(judge(detections(), objects, 0.5)) == {}
    outcome = judge(detections((0, 0.9, box), (1, 0.8, box)), objects, 0.5)
    assert told(outcome) == {"ignored": [0, 1]}
    assert outcome.errors == 0


def test_an_iou_of_one_half_is_enough_and_less_is_not() -> None:
    objects = annotation((0, (0.0, 0.0, 0.5, 1.0), ""))
    assert told(judge(detections((0, 0.9, (0.0, 0.0, 1.0, 1.0))), objects, 0.5)) == {"right": [0]}
    assert told(judge(detections((0, 0.9, (0.0, 0.0, 0.49, 0.5))), objects, 0.5)) == {"missed": [0], "false": [0]}


def test_every_detection_is_of_one_kind_and_the_confusion_matrix_counts_the_same() -> None:
    found, objects = random_set(3, images=40)
    outcomes = [judge(one, annotation_, 0.4) for one, annotation_ in zip(found, objects, strict=True)]
    for outcome in outcomes:
        kinds = np.stack([outcome.right, outcome.confused, outcome.false, outcome.ignored])
        assert (kinds.sum(axis=0) == 1).all()
        assert int((outcome.right | outcome.confused).sum() + outcome.missed.sum()) == int(outcome.required.sum())
    counts = confusion(found, objects, 4, 0.4)
    assert np.diag(counts).sum() == sum(int(outcome.right.sum()) for outcome in outcomes) > 0
    assert counts.sum() - np.diag(counts).sum() == sum(outcome.errors for outcome in outcomes) > 0
