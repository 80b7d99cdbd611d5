"""The SSD paper's transforms: hand-computed colours, and properties of every drawn window and canvas."""

import random
from collections import Counter
from typing import Any

import albumentations as alb
import cv2
import numpy as np
import pytest
from cv2.typing import MatLike
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.data.transforms.crop_window import Boxes, Window, min_iou_window, try_windows
from ssd.data.transforms.recipe import (
    INTERPOLATIONS,
    Expand,
    MinIoUCrop,
    PhotometricDistort,
    RandomInterpolationResize,
)

NOTHING: dict[str, Any] = {
    "brightness": None,
    "contrast_first": True,
    "contrast": None,
    "saturation": None,
    "hue": None,
}


def pixel(*rgb: int) -> MatLike:
    return np.array([[rgb]], np.uint8)


def seeded(transform: Any, seed: int) -> Any:
    transform.set_random_state(np.random.default_rng(seed), random.Random(seed))
    return transform


@st.composite
def box_arrays(draw: st.DrawFn, max_size: int = 6) -> Boxes:
    """(N, 4) normalised ymin, xmin, ymax, xmax with sides of at least a hundredth."""
    rows = []
    for _ in range(draw(st.integers(1, max_size))):
        sides = draw(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)))
        starts = [draw(st.floats(0, 1 - side)) for side in sides]
        rows.append([*starts, starts[0] + sides[0], starts[1] + sides[1]])
    return np.clip(np.array(rows), 0, 1)


def iou_by_hand(window: Window, box: Boxes, height: int, width: int) -> float:
    top, left, bottom, right = window
    box_top, box_left, box_bottom, box_right = box * [height, width, height, width]
    shared = max(0, min(bottom, box_bottom) - max(top, box_top)) * max(0, min(right, box_right) - max(left, box_left))
    union = (bottom - top) * (right - left) + (box_bottom - box_top) * (box_right - box_left) - shared
    return shared / union


def places_of(image: MatLike, colours: list[tuple[int, int, int]]) -> list[list[int]]:
    """Where each colour is in the image: x_min, y_min, x_max, y_max in pixels, empty where it is not."""
    found = []
    for colour in colours:
        rows, columns = np.nonzero((image == colour).all(axis=-1))
        found.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if len(rows) else [])
    return found


# Colours


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ({}, (10, 20, 30), (10, 20, 30)),
        ({"brightness": 32.0}, (0, 100, 250), (32, 132, 255)),
        ({"brightness": -32.0}, (0, 100, 250), (0, 68, 218)),
        ({"contrast": 1.5}, (0, 100, 200), (0, 150, 255)),
        ({"contrast": 0.5, "contrast_first": False}, (0, 100, 200), (0, 50, 100)),
        ({"saturation": 0.5}, (255, 0, 0), (255, 127, 127)),
        ({"saturation": 1.5}, (90, 90, 90), (90, 90, 90)),
        ({"hue": 18.0}, (255, 0, 0), (255, 153, 0)),  # 36 degrees from red
        ({"hue": -18.0}, (255, 0, 0), (255, 0, 153)),  # and back past 0
    ],
)
def test_each_colour_change(change: dict[str, Any], before: tuple[int, int, int], after: tuple[int, int, int]) -> None:
    image = PhotometricDistort().apply(pixel(*before), **(NOTHING | change))
    np.testing.assert_allclose(image[0, 0], after, atol=1)


def test_contrast_comes_before_or_after_saturation() -> None:
    both = NOTHING | {"contrast": 1.5, "saturation": 0.5}
    first = PhotometricDistort().apply(pixel(200, 100, 50), **both)
    last = PhotometricDistort().apply(pixel(200, 100, 50), **(both | {"contrast_first": False}))
    np.testing.assert_allclose(first[0, 0], (255, 203, 165), atol=2)  # (255, 150, 75), then half as saturated
    np.testing.assert_allclose(last[0, 0], (255, 225, 188), atol=2)  # (200, 150, 125), then 1.5 times


def test_brightness_is_clipped_before_contrast() -> None:
    image = PhotometricDistort().apply(pixel(250, 250, 250), **(NOTHING | {"brightness": 32.0, "contrast": 0.5}))
    np.testing.assert_allclose(image[0, 0], 128, atol=1)  # 255 / 2, not 282 / 2


def test_colour_changes_are_drawn_by_halves_from_their_ranges() -> None:
    transform = seeded(PhotometricDistort(), 0)
    drawn = [transform.get_params() for _ in range(4000)]
    assert 0.47 < np.mean([one["contrast_first"] for one in drawn]) < 0.53
    for key, low, high in (("brightness", -32, 32), ("contrast", 0.5, 1.5), ("saturation", 0.5, 1.5), ("hue", -18, 18)):
        values = np.array([one[key] for one in drawn if one[key] is not None])
        assert 0.47 < len(values) / len(drawn) < 0.53
        assert low <= values.min() < low + (high - low) * 0.02
        assert high - (high - low) * 0.02 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=(high - low) * 0.03)


def test_images_of_any_size_keep_shape_and_type() -> None:
    for shape in ((1, 1, 3), (4, 1, 3), (1, 4, 3), (4, 4, 3), (37, 53, 3)):
        image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
        for seed in range(20):
            result = seeded(PhotometricDistort(), seed)(image=image)["image"]
            assert result.shape == shape
            assert result.dtype == np.uint8


# Expand


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32), height=st.integers(4, 60), width=st.integers(4, 60))
def test_expand_keeps_every_pixel_and_boxes_stay_on_their_objects(seed: int, height: int, width: int) -> None:
    image = np.full((height, width, 3), 200, np.uint8)
    image[1:3, 2:4] = (255, 0, 0)
    boxes = np.array([[2 / width, 1 / height, 4 / width, 3 / height, 7]])
    transform = seeded(Expand(max_ratio=4, fill=(1, 2, 3), p=1), seed)
    result = transform(image=image, bboxes=boxes)

    canvas = result["image"]
    assert height <= canvas.shape[0] <= 4 * height
    assert width <= canvas.shape[1] <= 4 * width
    top, left = transform.params["corner"]
    np.testing.assert_array_equal(canvas[top : top + height, left : left + width], image)
    outside = np.ones(canvas.shape[:2], bool)
    outside[top : top + height, left : left + width] = False
    assert (canvas[outside] == (1, 2, 3)).all()
    (place,) = places_of(canvas, [(255, 0, 0)])
    sides = np.array([canvas.shape[1], canvas.shape[0]] * 2)
    np.testing.assert_allclose(result["bboxes"][0, :4] * sides, place, atol=1e-6)
    assert result["bboxes"][0, 4] == 7


def test_expand_happens_by_halves_and_everywhere() -> None:
    transform = seeded(Expand(), 0)
    image = np.zeros((10, 10, 3), np.uint8)
    shapes, corners = [], []
    for _ in range(1000):
        transform.params = {}
        shapes.append(transform(image=image, bboxes=np.zeros((0, 5)))["image"].shape[0])
        if transform.params:
            corners.append(transform.params["corner"][0] / max(transform.params["canvas"][0] - 10, 1))
    assert 0.45 < len(corners) / 1000 < 0.55
    assert max(shapes) > 37
    assert 0.45 < np.mean(corners) < 0.55


# The crop


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    boxes=box_arrays(),
    height=st.integers(1, 400),
    width=st.integers(1, 400),
    min_iou=st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 0.9]),
)
def test_a_found_window_satisfies_its_minimum(seed: int, boxes: Boxes, height: int, width: int, min_iou: float) -> None:
    window = try_windows(np.random.default_rng(seed), boxes, height, width, min_iou)
    if window is None:
        return
    top, left, bottom, right = window
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    assert max(iou_by_hand(window, box, height, width) for box in boxes) >= min_iou - 1e-9
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * [height, width]
    assert any(top <= y < bottom and left <= x < right for y, x in centres)


def test_windows_have_the_scale_and_aspect_of_the_recipe() -> None:
    whole_image = np.array([[0.0, 0, 1, 1]])
    windows = np.array([try_windows(np.random.default_rng(i), whole_image, 1000, 2000, 0) for i in range(3000)])
    heights, widths = (windows[:, 2] - windows[:, 0]) / 1000, (windows[:, 3] - windows[:, 1]) / 2000
    scale, aspect = np.sqrt(heights * widths), widths / heights
    assert 0.299 < scale.min() < 0.32
    assert 0.98 < scale.max() <= 1
    assert 0.499 < aspect.min() < 0.55
    assert 1.9 < aspect.max() < 2.01
    assert windows[:, 0].min() == 0
    assert windows[:, 2].max() == 1000


def test_no_window_can_satisfy_a_minimum_on_a_tiny_object() -> None:
    tiny = np.array([[0.5, 0.5, 0.51, 0.51]])
    assert all(try_windows(np.random.default_rng(i), tiny, 300, 300, 0.1) is None for i in range(50))
    # then another choice is made: the whole image or no constraint, about half the time each
    windows = [min_iou_window(np.random.default_rng(i), tiny, 300, 300) for i in range(600)]
    whole = np.mean([window == (0, 0, 300, 300) for window in windows])
    assert 0.42 < whole < 0.58


def test_the_seven_choices_have_equal_chances() -> None:
    chosen: Counter[int] = Counter()

    class Recorder(np.random.Generator):
        def integers(self, *args: Any, **kwargs: Any) -> Any:
            drawn = super().integers(*args, **kwargs)
            if len(args) == 1:
                chosen[int(drawn)] += 1
            return drawn

    rng = Recorder(np.random.PCG64(0))
    for _ in range(3500):
        min_iou_window(rng, np.array([[0.0, 0, 1, 1]]), 100, 100)
    assert sorted(chosen) == list(range(7))
    assert all(400 < count < 620 for count in chosen.values())


def test_an_image_without_objects_stays_whole() -> None:
    for seed in range(30):
        assert min_iou_window(np.random.default_rng(seed), np.zeros((0, 4)), 30, 40) == (0, 0, 30, 40)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_crop_keeps_the_objects_whose_centre_is_inside_and_clips_them(seed: int) -> None:
    image = np.zeros((100, 120, 3), np.uint8)
    places = [(10, 10, 31, 41), (60, 20, 111, 61), (5, 70, 46, 95)]  # x first; no centre on a pixel's edge
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    for (x0, y0, x1, y1), colour in zip(places, colours, strict=True):
        image[y0:y1, x0:x1] = colour
    bboxes = np.array([[x0 / 120, y0 / 100, x1 / 120, y1 / 100, row] for row, (x0, y0, x1, y1) in enumerate(places)])
    transform = seeded(MinIoUCrop(), seed)
    result = transform(image=image, bboxes=bboxes)

    top, left, bottom, right = transform.params["window"]
    np.testing.assert_array_equal(result["image"], image[top:bottom, left:right])
    centred = [
        row
        for row, (x0, y0, x1, y1) in enumerate(places)
        if left <= (x0 + x1) / 2 < right and top <= (y0 + y1) / 2 < bottom
    ]
    assert result["bboxes"][:, 4].astype(int).tolist() == centred
    assert centred
    seen = places_of(result["image"], colours)
    sides = np.array([right - left, bottom - top] * 2)
    for box in result["bboxes"]:
        np.testing.assert_allclose(box[:4] * sides, seen[int(box[4])], atol=1e-6)


# Resize


def test_resize_uses_each_interpolation_and_leaves_boxes() -> None:
    transform = seeded(RandomInterpolationResize(size=20), 0)
    image = np.random.default_rng(0).integers(0, 256, (33, 47, 3)).astype(np.uint8)
    bboxes = np.array([[0.1, 0.2, 0.5, 0.6, 0]])
    used: Counter[int] = Counter()
    for _ in range(500):
        result = transform(image=image, bboxes=bboxes)
        code = transform.params["interpolation"]
        used[code] += 1
        np.testing.assert_array_equal(result["image"], cv2.resize(image, (20, 20), interpolation=code))
        np.testing.assert_array_equal(result["bboxes"], bboxes)
    assert set(used) == set(INTERPOLATIONS)
    assert min(used.values()) > 60


def test_the_transforms_are_albumentations_transforms() -> None:
    chain = [PhotometricDistort(), Expand(max_ratio=2), MinIoUCrop(), RandomInterpolationResize(size=8)]
    assert alb.Compose(chain)(image=np.zeros((9, 9, 3), np.uint8), bboxes=np.zeros((0, 4)))["image"].shape == (8, 8, 3)
