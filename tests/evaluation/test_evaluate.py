"""The whole evaluation: metrics, rows, curves, confusion matrix and table."""

import io
import json
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from helpers.by_hand import annotation, detections
from ssd.data.sample import Annotation
from ssd.evaluation.confusion import confusion
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.figures.class_table import class_table
from ssd.inference.detections import Detections

NAMES = ("cat", "dog", "sheep")
LEFT, RIGHT = (0.0, 0.0, 0.5, 0.5), (0.5, 0.5, 1.0, 1.0)
INSIDE = (0.1, 0.1, 0.2, 0.2)


def printed(evaluation: Evaluation) -> str:
    text = io.StringIO()
    Console(file=text, width=100).print(class_table(evaluation, "of cats"))
    return text.getvalue()


FOUND = [detections((0, 0.9, LEFT), (1, 0.8, RIGHT), (0, 0.3, RIGHT)), detections((1, 0.7, LEFT)), detections()]
TRUTH = [annotation((0, LEFT, ""), (0, RIGHT, "")), annotation((1, LEFT, ""), (1, RIGHT, "difficult")), annotation()]


def test_rows_by_hand() -> None:
    cat, dog, sheep = evaluate(FOUND, TRUTH, NAMES).per_class
    assert (cat.name, cat.images, cat.objects, cat.precision, cat.recall, cat.ap50) == ("cat", 1, 2, 1.0, 0.5, 1.0)
    assert (dog.images, dog.objects, dog.precision, dog.recall) == (1, 1, 0.5, 1.0)  # wrong at 0.8, right at 0.7
    assert dog.ap50 == pytest.approx(0.5)
    assert (sheep.objects, sheep.precision, sheep.recall, sheep.ap50, sheep.ap) == (0, None, None, None, None)


def test_the_row_of_all_classes_and_the_metrics_by_hand() -> None:
    evaluation = evaluate(FOUND, TRUTH, NAMES)
    total, metrics = evaluation.total, evaluation.metrics
    assert (total.name, total.images, total.objects) == ("all", 2, 3)
    assert metrics["precision"] == total.precision == pytest.approx(2 / 3)
    assert metrics["recall"] == total.recall == pytest.approx(2 / 3)
    assert metrics["mAP50"] == total.ap50 == pytest.approx(0.75)  # the sheep, which nobody drew, is left out
    assert metrics["mAP50_07"] == pytest.approx(0.75)
    assert metrics["mAP"] == total.ap


def test_the_score_threshold_moves_precision_and_recall_but_no_average_precision() -> None:
    low, high = evaluate(FOUND, TRUTH, NAMES, score_threshold=0.1), evaluate(FOUND, TRUTH, NAMES, score_threshold=0.95)
    assert (low.total.precision, low.total.recall) == (0.75, 1.0)
    assert (high.total.precision, high.total.recall) == (None, 0.0)
    assert "precision" not in high.metrics
    assert low.metrics["mAP50"] == high.metrics["mAP50"]
    assert low.metrics["mAP"] == high.metrics["mAP"]


def test_curves_are_those_of_classes_with_objects() -> None:
    evaluation = evaluate(FOUND, TRUTH, NAMES)
    assert [curve.name for curve in evaluation.curves] == ["cat", "dog"]
    cat, dog = evaluation.curves
    assert cat.recall.tolist() == [0.5, 1.0]
    assert dog.precision.tolist() == [0.0, 0.5]
    assert dog.ap50 == evaluation.per_class[1].ap50


def test_perfect_detections_are_perfect_everywhere() -> None:
    found = [
        Detections(a.boxes[~a.difficult], a.labels[~a.difficult], np.full((~a.difficult).sum(), 0.9, np.float32))
        for a in TRUTH
    ]
    evaluation = evaluate(found, TRUTH, NAMES)
    for name in ("mAP50", "mAP50_07", "precision", "recall"):
        assert evaluation.metrics[name] == 1.0
    assert np.diag(evaluation.confusion).sum() == evaluation.confusion.sum() == 3
    assert evaluate(found[:1], TRUTH[:1], NAMES).metrics["mAP"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("found", "truth"),
    [
        ([], []),
        ([detections()], [annotation()]),
        ([detections((0, 0.9, LEFT))], [annotation()]),
        ([detections((0, 0.9, LEFT))], [annotation((0, LEFT, "difficult"))]),
        ([detections((0, 0.9, LEFT))], [annotation((0, LEFT, "crowd"))]),
        ([detections()], [annotation((0, LEFT, ""), (1, RIGHT, ""))]),
    ],
    ids=["no images", "nothing at all", "no objects", "only difficult", "only a crowd", "no detections"],
)
def test_nothing_is_ever_nan(found: list[Detections], truth: list[Annotation]) -> None:
    evaluation = evaluate(found, truth, NAMES)
    json.dumps(evaluation.metrics, allow_nan=False)
    for row in (*evaluation.per_class, evaluation.total):
        assert not any(isinstance(value, float) and math.isnan(value) for value in vars(row).values())
    assert "nan" not in printed(evaluation).lower()
    if not any((~(a.difficult | a.crowd)).any() for a in truth):
        assert "mAP50" not in evaluation.metrics
        assert evaluation.curves == ()


def test_the_table_shows_every_class_and_all() -> None:
    table = printed(evaluate(FOUND, TRUTH, ("cat", "dog [bold]", "sheep")))
    lines = [line for line in table.splitlines() if "│" in line]
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines]
    assert cells[0][:5] == ["cat", "1", "2", "1.000", "0.500"]
    assert cells[1][:6] == ["dog [bold]", "1", "1", "0.500", "1.000", "0.500"]
    assert cells[2] == ["sheep", "0", "0", "-", "-", "-", "-"]
    assert cells[3][:6] == ["all", "2", "3", "0.667", "0.667", "0.750"]
    assert len(cells) == 4


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="1 images have detections and 2 have annotations"):
        evaluate(FOUND[:1], TRUTH[:2], NAMES)


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_must_have_a_class(label: int) -> None:
    with pytest.raises(ValueError, match=r"detected label is outside 0\.\.2"):
        evaluate([detections((label, 0.5, LEFT))], [annotation()], NAMES)
    with pytest.raises(ValueError, match=r"annotated label is outside 0\.\.2"):
        evaluate([detections()], [annotation((label, LEFT, ""))], NAMES)


# --- the confusion matrix ---------------------------------------------------------------------------------------------


def one_confusion(found: list[Any], *objects: Any, score_threshold: float = 0.5) -> list[list[int]]:
    return confusion([detections(*found)], [annotation(*objects)], 2, score_threshold).tolist()


def test_right_confused_missed_and_invented() -> None:
    found = [(0, 0.9, LEFT), (1, 0.8, RIGHT), (1, 0.7, (0, 0.6, 0.3, 0.9)), (1, 0.4, (0.6, 0, 0.9, 0.3))]
    objects = [(0, LEFT, ""), (0, RIGHT, ""), (1, (0.6, 0, 0.9, 0.3), "")]
    # rows: a cat found, a cat taken for a dog; a dog missed (its detection is below the threshold); a dog invented
    assert one_confusion(found, *objects) == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]


def test_the_best_score_claims_the_object_and_the_other_is_background() -> None:
    assert one_confusion([(1, 0.6, LEFT), (0, 0.9, LEFT)], (0, LEFT, "")) == [[1, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_a_detection_takes_the_free_object_when_the_better_one_is_claimed() -> None:
    shifted = (0.0, 0.1, 0.5, 0.6)
    found = [(0, 0.9, LEFT), (1, 0.8, (0.0, 0.02, 0.5, 0.52))]
    assert one_confusion(found, (0, LEFT, ""), (1, shifted, "")) == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_difficult_objects_and_crowds_count_nowhere() -> None:
    found = [(0, 0.9, LEFT), (1, 0.8, LEFT), (1, 0.7, (0.6, 0.6, 0.7, 0.7))]
    assert one_confusion(found, (0, LEFT, "difficult"), (0, RIGHT, "crowd")) == [[0, 0, 0]] * 3


def test_sums_are_objects_and_detections() -> None:
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 0.6, (40, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, (40, 2))], axis=1)
    truth = [annotation(*((i % 3, tuple(boxes[i]), "") for i in range(start, start + 4))) for start in range(0, 40, 4)]
    found = [
        detections(*((int(rng.integers(3)), float(rng.random()), tuple(boxes[rng.integers(40)])) for _ in range(9)))
        for _ in truth
    ]
    counts = confusion(found, truth, 3, 0.3)
    objects = np.bincount(np.concatenate([a.labels for a in truth]), minlength=3)
    chosen = np.bincount(np.concatenate([d.above(0.3).labels for d in found]), minlength=3)
    assert counts[:3].sum(axis=1).tolist() == objects.tolist()
    assert counts[:, :3].sum(axis=0).tolist() == chosen.tolist()
    assert counts[3, 3] == 0
    assert counts[:3, :3].sum() > 0
