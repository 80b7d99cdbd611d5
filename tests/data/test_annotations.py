"""The checks that every reader's boxes pass."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_voc import encoded_image
from ssd.data.digest import annotation_digest
from ssd.data.readers.annotations import Objects, build_annotations
from ssd.data.sample import Annotation, Annotations, Dataset
from ssd.errors import UserError


def _build(
    boxes: list[tuple[float, float, float, float]], sizes: list[tuple[int, int]], rows: list[int] | None = None
) -> Annotations:
    objects = Objects()
    for i, box in enumerate(boxes):
        objects.add(rows[i] if rows else 0, box, label=i)
    ids = [f"image{i}" for i in range(len(sizes))]
    return build_annotations(ids, sizes, objects, lambda i: f"object {i} of a.xml", "toy:train")


def test_boxes_are_normalised_by_their_own_image_and_sorted_to_it() -> None:
    first, empty, third = _build(
        [(10, 20, 30, 40), (0, 0, 50, 50), (5, 5, 10, 10)], [(100, 200), (10, 10), (50, 50)], [2, 0, 2]
    )
    np.testing.assert_allclose(first.boxes, [[0, 0, 0.5, 0.25]])
    assert first.labels.tolist() == [1]
    assert empty.boxes.shape == (0, 4)
    assert (empty.boxes.dtype, empty.labels.dtype) == (np.float32, np.int32)
    assert third.labels.tolist() == [0, 2]
    np.testing.assert_allclose(third.boxes[0], [0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(third.areas, [400, 25], rtol=1e-6)


def test_a_split_without_any_object_is_normal() -> None:
    (annotation,) = _build([], [(10, 20)])
    assert annotation.boxes.shape == (0, 4)


def test_a_box_over_the_border_is_clipped_and_counted_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        (annotation,) = _build([(10, 10, 20, 20), (-3, 50, 20, 104), (90, 90, 101, 100)], [(100, 100)])
    np.testing.assert_allclose(annotation.boxes[1], [0, 0.5, 0.2, 1])
    np.testing.assert_allclose(annotation.areas, [100, 1000, 100], rtol=1e-6)
    assert len(caplog.records) == 1
    assert "toy:train: 2 of 3 boxes" in caplog.text
    assert "object 1 of a.xml" in caplog.text


def test_rounding_is_clipped_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    (annotation,) = _build([(-1e-7, 0, 20, 100.0001)], [(100, 100)])
    assert annotation.boxes.min() == 0
    assert annotation.boxes.max() == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((1, 1, float("nan"), 5), "not a finite number"),
        ((1, 1, float("inf"), 5), "not a finite number"),
        ((9, 1, 5, 5), "inverted or has no area"),
        ((1, 9, 5, 5), "inverted or has no area"),
        ((1, 5, 5, 5), "inverted or has no area"),
        ((1, 100, 5, 120), "lies outside its image"),
        ((-9, 1, -2, 5), "lies outside its image"),
    ],
)
def test_a_wrong_box_names_its_object(box: tuple[float, float, float, float], message: str) -> None:
    with pytest.raises(UserError, match=f"The box of object 1 of a.xml .*{message}"):
        _build([(1, 1, 2, 2), box], [(100, 100)])


def test_all_wrong_boxes_are_counted_in_the_message() -> None:
    with pytest.raises(UserError, match=r"object 0 .* \(and 2 more like it\)"):
        _build([(5, 5, 1, 1)] * 3, [(100, 100)])


def test_an_image_listed_twice_is_refused() -> None:
    with pytest.raises(UserError, match="toy lists the image a twice"):
        build_annotations(["b", "a", "a"], [(1, 1)] * 3, Objects(), str, "toy")


@given(st.lists(st.tuples(*[st.floats(-50, 150)] * 4), max_size=6))
def test_whatever_passes_is_inside_with_positive_sides(boxes: list[tuple[float, float, float, float]]) -> None:
    try:
        (annotation,) = _build(boxes, [(80, 100)])
    except UserError:
        return
    assert annotation.boxes.min(initial=0) >= 0
    assert annotation.boxes.max(initial=0) <= 1
    assert (annotation.boxes[:, 2:] > annotation.boxes[:, :2]).all()
    assert len(annotation.boxes) == len(boxes)


def _dataset(difficult: bool = False, box: float = 0.5, names: tuple[str, ...] = ("a", "b")) -> Dataset:
    annotation = Annotation(
        "one", 10, 20, np.array([[0, 0, box, 1]], np.float32), np.array([1], np.int32),
        np.array([difficult]), np.array([False]), np.array([100], np.float32),
    )  # fmt: skip
    return Dataset("toy", names, [annotation], lambda _: b"")


def test_digest_follows_the_annotations() -> None:
    digest = annotation_digest(_dataset())
    assert digest == annotation_digest(_dataset())
    assert digest == "feef410f0e9129e189698286286198bb249f935dc5d35b15a9451a9aca371c53"
    others = [_dataset(difficult=True), _dataset(box=0.6), _dataset(names=("a", "c"))]
    assert len({digest, *(annotation_digest(other) for other in others)}) == 4


def test_an_image_of_another_size_than_its_annotation_is_refused() -> None:
    dataset = Dataset("toy:train", ("a", "b"), _dataset().annotations, lambda _: encoded_image(20, 10))
    with pytest.raises(UserError, match=r"one of toy:train has height and width \(20, 10\).* says \(10, 20\)"):
        dataset[0]


def test_columns_are_a_sequence_of_annotations() -> None:
    built = _build([(10, 20, 30, 40), (0, 0, 50, 50), (5, 5, 10, 10)], [(100, 200), (10, 10), (50, 50)], [2, 0, 2])
    assert (len(built), built.counts.tolist(), built.images.tolist()) == (3, [1, 0, 2], [0, 2, 2])
    again = Annotations.of(list(built))
    assert Annotations.of(built) is built
    for one, other, named in zip(built, again, (built[0], built[1], built[-1]), strict=True):
        assert (one.id, one.height, one.width) == (other.id, other.height, other.width) == (named.id, *_size(named))
        for column in ("boxes", "labels", "difficult", "crowd", "areas"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
            np.testing.assert_array_equal(getattr(one, column), getattr(named, column))
    assert [item.id for item in built[1:]] == ["image1", "image2"]
    with pytest.raises(IndexError):
        built[3]
    nothing = Annotations.of([])
    assert (len(nothing), nothing.boxes.shape, list(nothing)) == (0, (0, 4), [])
    assert annotation_digest(Dataset("toy", ("a",), [], lambda _: b"")) == annotation_digest(
        Dataset("toy", ("a",), nothing, lambda _: b"")
    )


def _size(annotation: Annotation) -> tuple[int, int]:
    return annotation.height, annotation.width
