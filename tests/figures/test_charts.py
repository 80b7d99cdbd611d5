"""Charts: readable PNG files in ordinary and in extreme cases."""

from pathlib import Path
from typing import Any

import matplotlib.pyplot
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.pictures import as_detections, has_colour, names_of, random_annotation, read_png
from ssd.evaluation.evaluate import evaluate
from ssd.figures.charts import label_statistics, pr_curves
from ssd.figures.colours import class_colours
from ssd.figures.confusion_matrix import confusion_matrix, shares
from ssd.figures.training_curves import curves_from_csv
from ssd.inference.detections import Detections

HEADER = "epoch,step,minutes,train/loss,train/loss_cls,train/loss_box,val/loss,val/loss_cls,val/loss_box,"
HEADER += "val/mAP50,val/mAP50_07,val/mAP,lr\n"


@pytest.mark.parametrize("classes", [1, 3, 80])
@pytest.mark.parametrize("objects", [0, 12])
def test_every_chart_of_an_evaluation(tmp_path: Path, rng: np.random.Generator, classes: int, objects: int) -> None:
    annotations = [random_annotation(rng, classes, objects) for _ in range(20)]
    evaluation = evaluate([as_detections(a) for a in annotations], annotations, names_of(classes))
    pr_curves(evaluation.curves, tmp_path / "pr.png")
    confusion_matrix(
        evaluation.confusion, evaluation.class_names, evaluation.score_threshold, tmp_path / "confusion.png"
    )
    label_statistics(annotations, names_of(classes), tmp_path / "labels.png")
    for name in ("pr", "confusion", "labels"):
        assert read_png(tmp_path / f"{name}.png").std() > 0
    assert matplotlib.pyplot.get_fignums() == []


def test_charts_without_a_single_image(tmp_path: Path) -> None:
    evaluation = evaluate([], [], names_of(2))
    pr_curves(evaluation.curves, tmp_path / "a.png")
    confusion_matrix(evaluation.confusion, evaluation.class_names, evaluation.score_threshold, tmp_path / "b.png")
    label_statistics([], names_of(2), tmp_path / "c.png")
    for name in "abc":
        read_png(tmp_path / f"{name}.png")


def test_curves_of_detected_and_of_missed_classes_are_both_drawn(tmp_path: Path, rng: np.random.Generator) -> None:
    annotations = [random_annotation(rng, 2, 8)]
    found = as_detections(annotations[0])
    found = Detections(*(values[found.labels == 0] for values in (found.boxes, found.labels, found.scores)))
    evaluation = evaluate([found], annotations, names_of(2))
    assert [len(curve.recall) > 0 for curve in evaluation.curves] == [True, False]
    pr_curves(evaluation.curves, tmp_path / "pr.png")
    image = read_png(tmp_path / "pr.png")
    assert has_colour(image, class_colours(2)[0])
    assert has_colour(image, class_colours(2)[1])


def test_the_confusion_matrix_shows_counts_shares_and_what_they_are_of(tmp_path: Path, texts: list[str]) -> None:
    counts = np.array([[3, 0, 1], [0, 23456, 0], [1, 0, 0]])
    confusion_matrix(counts, ("cat", "dog"), 0.35, tmp_path / "confusion.png")
    assert texts == ["3\n75 %", "1\n25 %", "23k\n100 %", "1\n25 %"]


def test_shares_are_of_a_classs_objects_and_of_its_detections() -> None:
    counts = np.array([[60, 0, 20], [10, 30, 0], [70, 1, 0]])
    expected = [[60 / 80, 0, 20 / 80], [10 / 40, 30 / 40, 0], [70 / 140, 1 / 31, 0]]
    np.testing.assert_allclose(shares(counts), expected)
    assert not shares(np.zeros((3, 3), np.int64)).any()


def test_many_false_detections_are_dark_however_many_other_classes_have(tmp_path: Path) -> None:
    """40 classes with 50 right and 167 false ones each: of all false ones a class has only a fortieth."""
    counts = np.diag([50] * 40 + [0])
    counts[-1, :-1] = 167
    np.testing.assert_allclose(shares(counts)[-1, :-1], 167 / 217)


def test_the_title_says_what_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Figure, "suptitle", lambda self, text, **options: said.append(text))
    confusion_matrix(np.zeros((2, 2), np.int64), ("cat",), 0.35, tmp_path / "confusion.png")
    assert said == ["Confusion, score ≥ 0.35, IoU ≥ 0.5"]


def test_epochs_without_validation_are_gaps(tmp_path: Path) -> None:
    results = tmp_path / "results.csv"
    results.write_text(HEADER + "1,10,0.5,3,2,1,,,,,,,0.001\n2,20,1,2,1.5,0.5,2.2,1.6,0.6,0.5,0.48,0.3,0.001\n")
    curves_from_csv(results, tmp_path / "curves.png", "val/mAP")
    assert has_colour(read_png(tmp_path / "curves.png"), class_colours(1)[0])


@pytest.mark.parametrize(
    "content",
    [
        HEADER,
        HEADER + "1,10,0.5,3,2,1,,,,,,,0.001\n",
        HEADER + "1,10,0.5,nan,inf,1,,,,,,,0.001\n",
        HEADER + "1,10,0.5,3,2\n",
        "epoch,train/loss\n1,3\n2,2\n",
        "",
    ],
    ids=["no epoch", "one epoch", "not finite", "cut off", "few columns", "empty"],
)
def test_unfinished_results_are_drawn_too(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.csv").write_text(content)
    curves_from_csv(tmp_path / "results.csv", tmp_path / "curves.png", "val/mAP")
    read_png(tmp_path / "curves.png")


VALIDATED = "".join(
    f"{epoch},{epoch}0,1,3,2,1,{loss},1,1,{map50},0.5,{map_},0.001\n"
    for epoch, loss, map50, map_ in ((1, 2.5, 0.9, 0.3), (2, 2.25, 0.5, 0.4), (3, 2.125, 0.6, 0.4))
)


@pytest.mark.parametrize(
    ("best_by", "losses", "precision"),
    [
        ("val/mAP", "best epoch 2: val/loss 2.250", "best epoch 2: val/mAP 0.400"),  # the first of equals
        ("val/mAP50", "best epoch 1: val/loss 2.500", "best epoch 1: val/mAP50 0.900"),
    ],
)
def test_the_best_epoch_is_marked_with_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best_by: str, losses: str, precision: str
) -> None:
    marked: list[tuple[float, str]] = []
    draw = Axes.axvline

    def line(self: Axes, x: float, *, label: str, **style: Any) -> Any:
        marked.append((x, label))
        return draw(self, x, label=label, **style)

    monkeypatch.setattr(Axes, "axvline", line)
    (tmp_path / "results.csv").write_text(HEADER + VALIDATED)
    curves_from_csv(tmp_path / "results.csv", tmp_path / "curves.png", best_by)
    epoch = float(losses.split()[2].rstrip(":"))
    assert marked == [(epoch, losses), (epoch, precision)]


def test_without_the_criterion_no_epoch_is_the_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Axes, "axvline", lambda *_, **__: pytest.fail("marked"))
    (tmp_path / "results.csv").write_text(HEADER + VALIDATED)
    curves_from_csv(tmp_path / "results.csv", tmp_path / "curves.png", "val/mAP75")
