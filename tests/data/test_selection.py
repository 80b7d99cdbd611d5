"""What of a data set is taken: classes, objects, images."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ssd.data.sample import Annotation, Dataset, Splits
from ssd.data.selection import both, ignoring, limited, merges_of, of_classes, without_empty_classes
from ssd.errors import UserError


def image(name: str, *labels: int, areas: Sequence[float] = (), difficult: Sequence[int] = ()) -> Annotation:
    count = len(labels)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1)) / (1 + np.arange(count, dtype=np.float32))[:, None]
    return Annotation(
        id=name,
        height=10,
        width=10,
        boxes=boxes,
        labels=np.array(labels, np.int32),
        difficult=np.isin(np.arange(count), difficult),
        crowd=np.zeros(count, np.bool_),
        areas=np.array(areas or [100] * count, np.float32),
    )


def dataset(*annotations: Annotation, names: Sequence[str] = ("car", "cat", "dog")) -> Dataset:
    return Dataset("pets:train", tuple(names), list(annotations), lambda index: bytes([index]))


def labels(data: Dataset) -> list[list[int]]:
    return [item.labels.tolist() for item in data.annotations]


@pytest.mark.parametrize(
    ("classes", "names", "expected"),
    [
        (["dog", "cat"], ("dog", "cat"), [[1, 0], []]),
        ("dog", ("dog",), [[0], []]),
        ({"pet": ["cat", "dog"], "vehicle": "car"}, ("pet", "vehicle"), [[1, 0, 0], []]),
        ({"Katze": "cat"}, ("Katze",), [[0], []]),
    ],
)
def test_classes_are_chosen_renamed_and_merged(classes: Any, names: tuple[str, ...], expected: list[list[int]]) -> None:
    found = of_classes(dataset(image("a", 0, 1, 2), image("b")), merges_of(classes))
    assert found.class_names == names
    assert labels(found) == expected


def test_the_boxes_go_with_their_objects_and_what_is_not_taken_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    data = dataset(image("a", 0, 1, 2))
    found = of_classes(data, merges_of(["dog"]))
    assert np.array_equal(found.annotations[0].boxes, data.annotations[0].boxes[2:])
    assert "pets:train: 2 of 3 objects are of classes that are not taken." in caplog.text


def test_a_name_that_is_none_is_said_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"dataset.classes names dgo, which is no class of pets:train.*dog"):
        of_classes(dataset(image("a", 0)), merges_of({"pet": ["cat", "dgo"]}))


@pytest.mark.parametrize("classes", [[], {}, {"pet": []}, {"pet": None}, [3], {3: "cat"}, 7])
def test_classes_that_say_nothing(classes: Any) -> None:
    with pytest.raises(UserError, match="must name the classes to take"):
        merges_of(classes)


def test_a_class_becomes_only_one() -> None:
    with pytest.raises(UserError, match=r"dataset.classes names cat twice"):
        merges_of({"pet": ["cat", "dog"], "small": ["cat"]})


@pytest.mark.parametrize(
    ("difficult", "smaller_than", "crowd"),
    [
        (True, 0, [False, True, False]),
        (False, 10, [True, False, False]),
        (True, 10.1, [True, True, True]),
        (False, 0, [False, False, False]),
    ],
)
def test_ignored_objects_are_like_crowds(difficult: bool, smaller_than: float, crowd: list[bool]) -> None:
    data = dataset(image("a", 0, 1, 2, areas=[99, 100, 101], difficult=[1]))
    assert ignoring(data, difficult, smaller_than).annotations[0].crowd.tolist() == crowd


def test_what_is_ignored_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    ignoring(dataset(image("a", 0, 1, areas=[1, 100]), image("b", 0, areas=[2])), False, 5)
    assert "pets:train: 2 of 3 objects are ignored." in caplog.text


def test_classes_that_no_part_shows_are_named_and_left_out(caplog: pytest.LogCaptureFixture) -> None:
    splits = Splits(dataset(image("a", 0)), dataset(image("b", 2)))
    found = without_empty_classes(splits)
    assert found.train.class_names == found.val.class_names == ("car", "dog")
    assert (labels(found.train), labels(found.val)) == ([[0]], [[1]])
    assert "pets: 1 of 3 classes have no objects and are left out: cat; dataset.keep_empty_classes" in caplog.text
    assert [(item.kind, item.text) for item in found.problems] == [
        ("class-without-objects", "cat is named by the data and has no objects.")
    ]


@pytest.mark.parametrize("shown", [(0, 1, 2), ()])
def test_where_all_or_none_are_shown_nothing_is_left_out(shown: Sequence[int]) -> None:
    splits = Splits(dataset(image("a", *shown)), dataset(image("b")))
    assert without_empty_classes(splits) is splits


@pytest.mark.parametrize(
    ("limit", "rows"),
    [(None, [0, 1, 2, 3, 4]), (5, [0, 1, 2, 3, 4]), (9, [0, 1, 2, 3, 4]), (2, [0, 2]), (3, [0, 1, 3])],
)
def test_a_limit_is_spread_over_the_set(limit: int | None, rows: list[int]) -> None:
    found = limited(dataset(*(image(str(row), 0) for row in range(5))), limit)
    assert [item.id for item in found.annotations] == [str(row) for row in rows]
    assert [found.read(index) for index in range(len(found))] == [bytes([row]) for row in rows]


def test_a_split_that_is_both_parts_stays_one() -> None:
    data = dataset(image("a", 0))
    found = both(Splits(data, data), lambda part: limited(of_classes(part, merges_of(["car"])), 1))
    assert found.train is found.val
