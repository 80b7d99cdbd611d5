"""Sheets of images: what they say, whom they show, and what they cost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.by_hand import annotation, detections
from helpers.pictures import as_detections, names_of, picture, random_annotation, read_png
from ssd.data.sample import Annotation, Dataset
from ssd.evaluation.outcome import judge
from ssd.figures.outcome_sheet import outcome_cell
from ssd.figures.training_batch import training_batch
from ssd.figures.validation_sheet import ValidationSheet, worst_and_typical


def test_a_training_batch_without_its_padding(tmp_path: Path, rng: np.random.Generator, texts: list[str]) -> None:
    boxes = np.zeros((3, 4, 4), np.float32)
    boxes[0, 0] = 0.2, 0.2, 0.8, 0.8
    batch: dict[str, NDArray[Any]] = {
        "image": rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8),
        "boxes": boxes,
        "labels": np.array([[1, -1, -1, -1], [-1] * 4, [-1] * 4], np.int32),
        "index": np.array([5, 3, -1], np.int32),
    }
    training_batch(batch, ["cat", "dog"], tmp_path / "batch.png")
    read_png(tmp_path / "batch.png")
    assert texts == ["dog", "dog", "1 object", "0 objects"]


def test_a_training_batch_of_many_images_shows_sixteen(
    tmp_path: Path, rng: np.random.Generator, texts: list[str]
) -> None:
    shape = (40, 2)
    batch: dict[str, NDArray[Any]] = {
        "image": rng.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
        "boxes": np.zeros((*shape, 4), np.float32),
        "labels": np.full(shape, -1, np.int32),
    }
    training_batch(batch, ["cat"], tmp_path / "batch.png")
    assert texts == ["0 objects"] * 16


LEFT, RIGHT, MIDDLE = (0.0, 0.0, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9), (0.35, 0.35, 0.55, 0.55)


def data_set(images: list[NDArray[np.uint8]], annotations: list[Annotation], classes: int) -> Dataset:
    """A data set of given pictures, losslessly encoded."""
    encoded = [cv2.imencode(".png", image)[1].tobytes() for image in images]
    sized = [
        replace(annotation, height=image.shape[0], width=image.shape[1])
        for image, annotation in zip(images, annotations, strict=True)
    ]
    return Dataset("drawn", names_of(classes), sized, encoded.__getitem__)


@pytest.mark.parametrize(("count", "classes", "objects"), [(0, 3, 0), (1, 3, 0), (1, 3, 5), (3, 80, 60), (8, 1, 4)])
def test_a_sheet_of_any_validation(
    tmp_path: Path, rng: np.random.Generator, count: int, classes: int, objects: int
) -> None:
    annotations = [random_annotation(rng, classes, objects, "long name " * 12) for _ in range(count)]
    images = [picture(rng, *rng.integers(1, 700, 2)) for _ in range(count)]
    sheet = ValidationSheet(tmp_path, data_set(images, annotations, classes), 8, 0.5)
    path = sheet.draw([as_detections(annotation) for annotation in annotations])
    assert path == tmp_path / "plots" / "predictions.png"
    first = read_png(path)
    sheet.draw([as_detections(annotation) for annotation in annotations])
    np.testing.assert_array_equal(read_png(path), first)


def test_every_kind_is_named_and_counted(texts: list[str], rng: np.random.Generator) -> None:
    objects = annotation((0, LEFT, ""), (1, RIGHT, ""), (1, MIDDLE, ""))
    found = detections((0, 0.9, LEFT), (0, 0.8, RIGHT), (1, 0.7, (0.6, 0.0, 0.9, 0.3)), (1, 0.2, MIDDLE))
    drawn = outcome_cell(picture(rng), judge(found, objects, 0.5), ("cat", "dog"))
    assert drawn.caption == "image · 1 right, 1 missed, 1 false, 1 of wrong class"
    assert texts == ["cat 0.80, is dog", "missed dog", "false dog 0.70", "cat 0.90"]  # errors have the first places
    assert max(drawn.picture.size) == 640


def test_what_is_ignored_is_said_and_not_counted(texts: list[str], rng: np.random.Generator) -> None:
    objects = annotation((0, LEFT, "difficult"), (0, RIGHT, "crowd"))
    drawn = outcome_cell(picture(rng), judge(detections((0, 0.9, LEFT)), objects, 0.5), ("cat",))
    assert drawn.caption == "image · 0 right, 0 missed, 0 false"
    assert texts == ["cat (difficult)", "cat (crowd)", "cat 0.90"]


def test_right_missed_and_false_look_different(rng: np.random.Generator) -> None:
    """One box each, at the same place: neither the colours nor the rhythms of the lines are the same."""
    image, box = np.full((200, 200, 3), 128, np.uint8), (0.2, 0.2, 0.8, 0.8)
    true, nothing, found = annotation((0, box, "")), annotation(), detections((0, 0.9, box))
    outcomes = (judge(found, true, 0.5), judge(detections(), true, 0.5), judge(found, nothing, 0.5))
    other = judge(detections((1, 0.9, box)), true, 0.5)
    cells = [np.array(outcome_cell(image, outcome, ("a", "b")).picture)[300:460] for outcome in (*outcomes, other)]
    inks = [
        {tuple(ink) for ink in np.unique(cell[:, :200].reshape(-1, 3), axis=0) if np.ptp(ink) > 40} for cell in cells
    ]
    assert all(inks)
    assert not inks[0] & inks[1] | inks[0] & inks[2] | inks[1] & inks[2] | inks[3] & (inks[0] | inks[1] | inks[2])
    sides = [cell[:, 126].min(axis=1) for cell in cells]  # along the middle of the left line, in grey
    assert (sides[0] == sides[0][0]).all()  # right: drawn through
    assert all(np.unique(side).size > 1 for side in sides[1:])  # errors: dashed, each in its own rhythm
    rhythms = {tuple(np.flatnonzero(np.diff(side.astype(int)))[:6].tolist()) for side in sides[1:]}
    assert len(rhythms) == 3


def test_the_worst_and_the_typical_are_shown_worst_first(tmp_path: Path, texts: list[str]) -> None:
    """Image i has i objects, and nothing is found: errors 0, 1, ..., 9; the median is 4.5."""
    spots = [(row / 5, column / 5, row / 5 + 0.1, column / 5 + 0.1) for row in range(5) for column in range(2)]
    annotations = [replace(annotation(*((0, spot, "") for spot in spots[:i])), id=f"{i}.jpg") for i in range(10)]
    images = [np.full((100, 100, 3), 200, np.uint8)] * 10
    ValidationSheet(tmp_path, data_set(images, annotations, 1), 4, 0.5).draw([detections()] * 10)
    said = [text for text in texts if "jpg" in text or ":" in text]
    assert said == [
        "right: score ≥ 0.5, IoU ≥ 0.5",
        "difficult or crowd: ignored",
        "Worst: the most errors",
        "9.jpg · 0 right, 9 missed, 0 false",
        "8.jpg · 0 right, 8 missed, 0 false",
        "Typical: around the median number of errors, 4.5",
        "5.jpg · 0 right, 5 missed, 0 false",
        "4.jpg · 0 right, 4 missed, 0 false",
    ]


@pytest.mark.parametrize(
    ("errors", "count", "worst", "typical"),
    [
        ([], 8, [], []),
        ([3], 8, [0], []),
        ([0, 2, 1], 8, [1, 2], [0]),
        ([0, 0, 0, 0, 0, 0], 4, [0, 1], [2, 3]),  # equal ones in the order of the data set
        ([5, 0, 9, 0, 1, 0, 0, 0], 2, [2], [1]),  # by errors: 2 0 4 1 3 5 6 7
        ([1, 2, 3], 0, [], []),
    ],
)
def test_whom_a_sheet_shows(errors: list[int], count: int, worst: list[int], typical: list[int]) -> None:
    assert worst_and_typical(errors, count) == (worst, typical)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=40), st.integers(0, 12))
def test_no_image_is_shown_twice_and_none_is_worse_than_the_worst(errors: list[int], count: int) -> None:
    worst, typical = worst_and_typical(errors, count)
    shown = worst + typical
    assert len(set(shown)) == len(shown) == min(count, len(errors))
    if worst:
        least = min(errors[row] for row in worst)
        assert all(errors[row] <= least for row in range(len(errors)) if row not in worst)
    for part in (worst, typical):
        assert [errors[row] for row in part] == sorted((errors[row] for row in part), reverse=True)


def test_a_sheet_of_photographs_stays_below_3_megabytes(tmp_path: Path) -> None:
    photograph = sklearn.datasets.load_sample_image("china.jpg")
    count = 8
    ValidationSheet(tmp_path, data_set([photograph] * count, [annotation()] * count, 1), count, 0.5).draw(
        [detections()] * count
    )
    file = tmp_path / "plots" / "predictions.png"
    assert min(read_png(file).shape[:2]) > 2 * 640
    assert file.stat().st_size < 3_000_000
