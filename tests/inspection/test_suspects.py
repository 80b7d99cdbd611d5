"""What a detector and the labels disagree on."""

from dataclasses import replace

import numpy as np
import pytest

from ssd.data.sample import Annotation, Dataset
from ssd.inference.detections import Detections
from ssd.inspection.suspects import suspects

BOXES = np.array([[0.1, 0.1, 0.3, 0.3], [0.5, 0.1, 0.7, 0.3], [0.1, 0.6, 0.4, 0.9]], np.float32)
LABELS = np.array([0, 1, 0], np.int32)
FLAGS = np.zeros(3, np.bool_)
TRUTH = Annotation("a.jpg", 100, 100, BOXES, LABELS, FLAGS, FLAGS, np.full(3, 400, np.float32))
FOUND = Detections(BOXES, LABELS, np.array([0.95, 0.9, 0.85], np.float32))


def _suspects(annotation: Annotation, found: Detections = FOUND, most: int = 10) -> list[tuple[str, int | str | None]]:
    """Beside nine images whose labels the detector agrees with."""
    dataset = Dataset("toy:val", ("cat", "dog"), [annotation, *[TRUTH] * 9], lambda index: b"")
    return [(finding.kind, finding.object) for finding in suspects(dataset, [found, *[FOUND] * 9], most)]


def _labels(*labels: int) -> Annotation:
    return replace(TRUTH, labels=np.array(labels, np.int32))


def _boxes(*third: float) -> Annotation:
    return replace(TRUTH, boxes=np.array([*BOXES[:2], third], np.float32))


def _with_another() -> Annotation:
    rows = np.array([0, 1, 2, 2])
    boxes = np.array([*BOXES, (0.6, 0.6, 0.9, 0.9)], np.float32)
    return replace(TRUTH.select(rows), boxes=boxes)


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (TRUTH, []),
        (_labels(0, 0, 0), [("suspect-class", 2)]),
        (TRUTH.select([0, 1]), [("suspect-missing", None)]),
        (_boxes(0.1, 0.72, 0.4, 1.0), [("suspect-box", 3)]),
        (_with_another(), [("suspect-object", 4)]),
        (replace(_labels(0, 0, 0), difficult=np.ones(3, np.bool_)), []),
    ],
    ids=["agreed", "class", "missing", "box", "object", "difficult"],
)
def test_each_disagreement_is_named(annotation: Annotation, expected: list[tuple[str, int | None]]) -> None:
    assert _suspects(annotation) == expected


def test_the_surest_come_first_and_no_more_than_asked_for() -> None:
    wrong = _labels(1, 0, 0)
    assert _suspects(wrong) == [("suspect-class", 1), ("suspect-class", 2)]
    assert _suspects(wrong, most=1) == [("suspect-class", 1)]


def test_a_missed_object_of_a_class_that_is_never_found_says_nothing() -> None:
    nothing = FOUND[:0]
    dataset = Dataset("toy:val", ("cat", "dog"), [TRUTH] * 3, lambda index: b"")
    assert all(finding.sureness == 0 for finding in suspects(dataset, [nothing] * 3, 10))


def test_what_lies_in_a_crowd_is_not_missing() -> None:
    crowd = replace(TRUTH, crowd=np.array([False, False, True]))
    inside = Detections(BOXES[2:] * np.float32(0.9) + np.float32(0.03), LABELS[2:], np.array([0.9], np.float32))
    assert ("suspect-missing", None) not in _suspects(crowd, inside)
