"""Objects pasted from another picture: their pixels, boxes and labels, and what they leave visible."""

from dataclasses import replace

import albumentations as alb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.data.augmentation import Augmentation
from ssd.data.sample import Annotation, Sample
from ssd.data.transforms import CopyPaste

RED, BLUE = (200, 0, 0), (0, 0, 200)


def picture(colour: tuple[int, int, int], size: int, boxes: list[list[float]], label: int) -> Sample:
    """Black, with boxes (fractions that are whole pixels) filled with a colour."""
    image = np.zeros((size, size, 3), np.uint8)
    corners = np.array(boxes, np.float32).reshape(-1, 4)
    for top, left, bottom, right in (corners * size).round().astype(int):
        image[top:bottom, left:right] = colour
    flags = np.zeros(len(corners), np.bool_)
    labels, areas = np.full(len(corners), label, np.int32), np.ones(len(corners), np.float32)
    return Sample(image, Annotation("a", size, size, corners, labels, flags, flags, areas))


class Lent(Sample):
    """A picture whose data set has another one, of twice its size, with a blue object of label 1."""

    def other(self, number: int) -> Sample:
        return picture(BLUE, 200, [[0.5, 0.25, 0.75, 0.5]], 1)


def lent(boxes: list[list[float]]) -> Lent:
    own = picture(RED, 100, boxes, 0)
    return Lent(own.image, own.annotation)


def test_an_object_comes_with_its_pixels_its_label_and_its_share_of_the_picture() -> None:
    found = Augmentation([CopyPaste(scale=(1, 1), max_covered=0, p=1)])(lent([[0.0, 0.0, 0.3, 0.3]]), (0, 0, 0))
    assert found.annotation.labels.tolist() == [0, 1]
    top, left, bottom, right = (found.annotation.boxes[1] * 100).round().astype(int)
    assert (bottom - top, right - left) == (25, 25)
    expected = picture(RED, 100, [[0.0, 0.0, 0.3, 0.3]], 0).image
    expected[top:bottom, left:right] = BLUE
    np.testing.assert_array_equal(found.image, expected)


def test_an_object_for_which_there_is_no_place_is_left_out() -> None:
    sample = lent([[0.0, 0.0, 1.0, 1.0]])
    found = Augmentation([CopyPaste(max_covered=0, p=1)])(sample, (0, 0, 0))
    np.testing.assert_array_equal(found.image, sample.image)
    assert found.annotation.labels.tolist() == [0]


def test_a_picture_without_objects_gets_some_and_one_without_any_lends_none() -> None:
    assert Augmentation([CopyPaste(p=1)])(lent([]), (0, 0, 0)).annotation.labels.tolist() == [1]
    empty = picture(RED, 100, [], 0)  # of no data set: borrows from itself
    assert len(Augmentation([CopyPaste(p=1)])(empty, (0, 0, 0)).annotation.labels) == 0


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0, 0.6), st.integers(1, 6))
def test_no_box_is_hidden_by_more_than_was_allowed(seed: int, most: float, count: int) -> None:
    grid = [[y, x, y + 0.2, x + 0.2] for y in (0.0, 0.3, 0.7) for x in (0.0, 0.3, 0.7)]
    own = picture(RED, 100, grid, 0)  # lends its nine objects to itself
    transform = CopyPaste(max_objects=count, scale=(0.5, 2), max_covered=most, p=1)
    found = Augmentation([transform])(own, (seed, 0, 0))
    boxes = found.annotation.boxes.astype(np.float64)
    assert 9 <= len(boxes) <= 9 + count
    for place, box in enumerate(boxes):
        for later in boxes[max(place + 1, 9) :]:
            sides = np.minimum(box[2:], later[2:]) - np.maximum(box[:2], later[:2])
            shared = np.prod(np.maximum(sides, 0))
            assert shared <= (most + 1e-4) * np.prod(box[2:] - box[:2])


def test_the_same_seed_pastes_the_same_beside_a_mosaic_too() -> None:
    transforms = [CopyPaste(p=1), alb.Mosaic(target_size=(100, 100), cell_shape=(100, 100), p=0.5)]
    augmentation = Augmentation(transforms)
    assert augmentation.pictures == 4
    assert Augmentation([CopyPaste()]).pictures == 2
    sample = lent([[0.2, 0.2, 0.6, 0.6]])
    first, again, other = (augmentation(replace(sample), (seed, 0, 0)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.annotation.boxes, again.annotation.boxes)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("values", [{"max_objects": 0}, {"scale": (1.4, 0.7)}, {"max_covered": 1.5}])
def test_values_outside_their_range_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        CopyPaste(**values)  # type: ignore[arg-type]
