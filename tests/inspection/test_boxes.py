"""Boxes in the place of other ones are found as a comparison of all with all finds them."""

from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.data.sample import Annotation, Dataset
from ssd.evaluation.overlaps import overlaps
from ssd.inspection.boxes import check_boxes, close_pairs
from ssd.inspection.objects import objects_of


def _dataset(*images: list[list[float]], size: tuple[int, int] = (400, 400)) -> Dataset:
    """Boxes in pixels."""
    annotations = [
        Annotation(
            f"{number}.jpg",
            *size,
            (np.array(boxes).reshape(-1, 4) / [*size, *size]).astype(np.float32),
            np.zeros(len(boxes), np.int32),
            np.zeros(len(boxes), np.bool_),
            np.zeros(len(boxes), np.bool_),
            np.zeros(len(boxes), np.float32),
        )
        for number, boxes in enumerate(images)
    ]
    return Dataset("toy:train", ("cat", "dog"), annotations, lambda index: b"")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_close_pairs_are_those_of_a_comparison_of_all_with_all(seed: int, images: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 4, (images, 20, 2))
    boxes = np.concatenate([corners, corners + rng.integers(20, 24, (images, 20, 2))], axis=-1)
    dataset = _dataset(*boxes.tolist())
    expected = set()
    for image, annotation in enumerate(dataset.annotations):
        iou = np.tril(overlaps(annotation.boxes, annotation).iou, -1)
        expected |= {image * 20 + int(row) for row in np.flatnonzero((iou >= 0.9).any(axis=1))}
    found = close_pairs(objects_of(dataset), 0.9)
    assert {second for _, second, _ in found} == expected
    assert all(first < second and iou >= 0.9 for first, second, iou in found)


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ([0, 0, 5.3, 100], "box-tiny"),  # 3.975 of 300 pixels
        ([0, 0, 5.4, 100], None),
        ([0, 0, 10, 201], "box-thin"),
        ([0, 0, 10, 199], None),
        ([0, 0, 397, 397], "box-whole-image"),
        ([0, 0, 395, 395], None),
    ],
)
def test_shapes_at_their_limits(box: list[float], kind: str | None) -> None:
    dataset = _dataset([box])
    found = list(chain.from_iterable(check_boxes(dataset, objects_of(dataset), image_size=300)))
    assert [finding.kind for finding in found] == ([kind] if kind else [])


def test_a_data_set_without_objects_has_no_boxes_to_find() -> None:
    dataset = _dataset([], [])
    assert check_boxes(dataset, objects_of(dataset), image_size=300) == []
