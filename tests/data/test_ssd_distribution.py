"""The SSD paper's augmentation (`conf/augmentation/ssd.yaml`) over thousands of draws: how often, how much and where.

Every draw is seeded, so that a test passes always or never. What is tested has a p-value above one in a million.
"""

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import albumentations as alb
import cv2
import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from omegaconf import ListConfig
from scipy import stats

from helpers.samples import make_sample
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.config.instantiate import instantiate
from ssd.data.augmentation import Augmentation
from ssd.data.transforms import crop_window
from ssd.data.transforms.crop_window import Boxes, Window, min_iou_window, try_windows
from ssd.data.transforms.recipe import INTERPOLATIONS

TINY = 1e-6
MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
WHOLE: Window = (0, 0, 1, 1)


@cache
def nodes() -> ListConfig:
    (job,) = compose_jobs(["augmentation=ssd", "detector.image_size=32"], multirun=False)
    return without_hydra(job).augmentation.transforms


@pytest.fixture
def recipe() -> list[Any]:
    """The transforms of the group as a run builds them, seeded."""
    transforms = [instantiate(node, "augmentation") for node in nodes()]
    for index, transform in enumerate(transforms):
        transform.set_random_state(np.random.default_rng(index), random.Random(index))
    return transforms


def happens(flags: Sequence[Any] | NDArray[Any], probability: float) -> bool:
    """Whether that many of them are true in a fair draw of this probability."""
    return bool(stats.binomtest(int(np.sum(flags)), len(flags), probability).pvalue > TINY)


def equally_often(counts: Sequence[int]) -> bool:
    return bool(stats.chisquare(counts).pvalue > TINY)


def uniform(values: ArrayLike, low: float = 0, high: float = 1) -> bool:
    """Whether values are drawn evenly between the limits, none beyond."""
    values = np.asarray(values, float)
    assert values.min() >= low - 1e-9
    assert values.max() <= high + 1e-9
    return bool(stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > TINY)


def unrelated(one: ArrayLike, other: ArrayLike) -> bool:
    return bool(stats.spearmanr(one, other).pvalue > TINY)


def random_boxes(rng: np.random.Generator, count: int) -> Boxes:
    """(count, 4) normalised ymin, xmin, ymax, xmax of all sizes."""
    sides = rng.uniform(0.02, 1, (count, 2))
    low = rng.uniform(0, 1 - sides)
    return np.hstack([low, low + sides])


def test_the_recipe_has_the_papers_steps_in_the_order_of_caffe(recipe: list[Any]) -> None:
    names = [type(transform).__name__ for transform in recipe]
    assert names == ["PhotometricDistort", "Expand", "MinIoUCrop", "RandomInterpolationResize", "HorizontalFlip"]
    assert [transform.p for transform in recipe] == [1, 0.5, 1, 1, 0.5]


# Colours


def test_each_colour_change_happens_half_of_the_time_by_itself(recipe: list[Any]) -> None:
    drawn = [recipe[0].get_params() for _ in range(6400)]
    changes = ("brightness", "contrast", "saturation", "hue")
    happened = np.array([[one[key] is not None for key in changes] + [one["contrast_first"]] for one in drawn])
    for column in happened.T:
        assert happens(column, 0.5)
    together = Counter(map(tuple, happened.tolist()))
    assert len(together) == 32
    assert equally_often(list(together.values()))


@pytest.mark.parametrize(
    ("change", "low", "high"),
    [("brightness", -32, 32), ("contrast", 0.5, 1.5), ("saturation", 0.5, 1.5), ("hue", -18, 18)],
)
def test_colour_changes_are_even_over_their_range(recipe: list[Any], change: str, low: float, high: float) -> None:
    values = [one[change] for one in (recipe[0].get_params() for _ in range(6000)) if one[change] is not None]
    assert len(values) > 2500
    assert uniform(values, low, high)
    assert min(values) < low + (high - low) * 0.01
    assert max(values) > high - (high - low) * 0.01


def test_one_image_in_sixteen_keeps_its_colours(recipe: list[Any]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3)).astype(np.uint8)
    same = [np.array_equal(recipe[0](image=image)["image"], image) for _ in range(4000)]
    # none of the four was drawn, or only brightness below half a level (1 of 64) or hue below half a degree (1 of 36)
    assert happens(same, (0.5 + 0.5 / 64) * (0.5 + 0.5 / 36) / 4)


# Expand


def test_expand_happens_half_of_the_time(recipe: list[Any]) -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    grown = [recipe[1](image=image, bboxes=np.zeros((0, 5)))["image"].shape[0] > 60 for _ in range(4000)]
    assert happens(grown, 0.5 * (1 - 1 / 180))  # a ratio below 61 / 60 gives the image's own size


def test_canvases_are_one_to_four_times_as_large_with_the_image_anywhere(recipe: list[Any]) -> None:
    height, width = 3000, 2000
    drawn = [recipe[1].get_params_dependent_on_data({"shape": (height, width, 3)}, {}) for _ in range(5000)]
    canvases, corners = (np.array([one[key] for one in drawn]) for key in ("canvas", "corner"))
    ratios = canvases / (height, width)
    np.testing.assert_allclose(ratios[:, 0], ratios[:, 1], atol=1e-3)  # the aspect stays
    assert uniform(ratios[:, 1], 1 - 1e-3, 4)

    space = canvases - (height, width)
    assert (corners >= 0).all()
    assert (corners <= space).all()
    roomy = (space > 100).all(axis=1)
    places = (corners[roomy] + 0.5) / (space[roomy] + 1)
    assert uniform(places[:, 0])
    assert uniform(places[:, 1])
    assert unrelated(places[:, 0], places[:, 1])
    assert unrelated(ratios[roomy, 0], places[:, 0])


def test_the_canvas_has_the_mean_colour(recipe: list[Any]) -> None:
    canvas = recipe[1].apply(np.zeros((2, 3, 3), np.uint8), canvas=(8, 9), corner=(1, 2))
    assert canvas[0, 0].tolist() == [123, 117, 104]
    assert (canvas != 0).all(axis=-1).sum() == 8 * 9 - 2 * 3


# The crop


def chosen(monkeypatch: pytest.MonkeyPatch, possible: Sequence[float], draws: int) -> Counter[float | None]:
    """How often windows of each minimum IoU come out (None: the whole image) where only some can be satisfied."""

    def satisfied(rng: Any, boxes: Any, height: int, width: int, min_iou: float) -> Any:
        return (min_iou, 0, 0, 0) if min_iou in possible else None

    monkeypatch.setattr(crop_window, "try_windows", satisfied)
    rng = np.random.default_rng(0)
    windows = (min_iou_window(rng, np.array([[0.0, 0, 1, 1]]), 1, 1) for _ in range(draws))
    return Counter(None if window == WHOLE else window[0] for window in windows)


def test_the_seven_choices_are_equally_frequent(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = chosen(monkeypatch, (*MIN_IOUS, 0.0), 14000)
    assert set(counts) == {*MIN_IOUS, 0.0, None}
    assert equally_often(list(counts.values()))


def test_a_choice_that_fails_is_made_again_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = chosen(monkeypatch, (0.1, 0.0), 6000)
    assert set(counts) == {0.1, 0.0, None}
    assert equally_often(list(counts.values()))


@pytest.fixture(scope="module")
def free_windows() -> NDArray[np.int_]:
    """Windows of a 2000 x 4000 image full of objects, where any window has a centre: as drawn, none left out."""
    starts = np.linspace(0, 0.875, 8)
    grid = np.array([[y, x, y + 0.125, x + 0.125] for y in starts for x in starts])
    rng = np.random.default_rng(0)
    return np.array([try_windows(rng, grid, 2000, 4000, 0.0) for _ in range(4000)])


def test_scales_are_even_and_aspects_even_over_what_the_scale_leaves(free_windows: NDArray[np.int_]) -> None:
    heights, widths = ((free_windows[:, 2:] - free_windows[:, :2]) / (2000, 4000)).T
    scale, aspect = np.sqrt(heights * widths), widths / heights
    assert uniform(scale, 0.3 - 1e-3, 1)
    low, high = np.maximum(0.5, scale**2), np.minimum(2, scale**-2)
    free = scale < 0.9  # nearer to the whole image, rounding to pixels takes over
    assert uniform(np.clip((aspect[free] - low[free]) / (high[free] - low[free]), 0, 1))
    assert (np.abs(np.clip(aspect, low, high) - aspect) < 5e-3).all()
    small = scale < 0.7
    assert uniform(np.clip(aspect[small], 0.5, 2), 0.5, 2)
    assert unrelated(scale[small], aspect[small])


def test_windows_lie_anywhere(free_windows: NDArray[np.int_]) -> None:
    space = (2000, 4000) - (free_windows[:, 2:] - free_windows[:, :2])
    roomy = (space > 100).all(axis=1)
    places = ((free_windows[:, :2] + 0.5) / (space + 1))[roomy]
    assert uniform(places[:, 0])
    assert uniform(places[:, 1])
    assert unrelated(places[:, 0], places[:, 1])


@pytest.mark.parametrize("min_iou", [0.0, *MIN_IOUS])
def test_every_window_keeps_its_minimum_with_some_object_and_holds_a_centre(min_iou: float) -> None:
    rng = np.random.default_rng(round(10 * min_iou))
    found = 0
    for _ in range(700):
        boxes = random_boxes(rng, int(rng.integers(1, 5)))
        window = try_windows(rng, boxes, 300, 500, min_iou)
        if window is None:
            continue
        found += 1
        top, left, bottom, right = window
        assert 0 <= top < bottom <= 300
        assert 0 <= left < right <= 500
        pixels = boxes * (300, 500, 300, 500)
        shared = np.clip(np.minimum(pixels[:, 2], bottom) - np.maximum(pixels[:, 0], top), 0, None)
        shared *= np.clip(np.minimum(pixels[:, 3], right) - np.maximum(pixels[:, 1], left), 0, None)
        areas = (pixels[:, 2] - pixels[:, 0]) * (pixels[:, 3] - pixels[:, 1])
        assert (shared / ((bottom - top) * (right - left) + areas - shared)).max() >= min_iou - 1e-9
        y, x = (pixels[:, :2] + pixels[:, 2:]).T / 2
        assert ((top <= y) & (y < bottom) & (left <= x) & (x < right)).any()
    assert found > 50


def test_a_window_is_found_wherever_one_of_fifty_would_do() -> None:
    """The object is the image: a window of IoU 0.9 has a scale above the root of 0.9, and holds the centre."""
    whole = np.array([[0.0, 0, 1, 1]])
    rng = np.random.default_rng(0)
    found = [try_windows(rng, whole, 10000, 10000, 0.9) is not None for _ in range(10000)]
    assert happens(found, 1 - (1 - (1 - 0.9**0.5) / 0.7) ** 50)


def test_objects_stay_if_and_only_if_their_centre_does_and_are_clipped(recipe: list[Any]) -> None:
    crop = recipe[2]
    rng = np.random.default_rng(0)
    height, width = 256, 512
    gone = cut = 0
    for _ in range(2500):
        boxes = np.rint(random_boxes(rng, 4) * 128) / 128  # centres often lie on the edge of a window
        bboxes = np.column_stack([boxes[:, [1, 0, 3, 2]], np.arange(4)])
        params = {"shape": (height, width, 3)}
        window = crop.get_params_dependent_on_data(params, {"bboxes": bboxes})["window"]
        kept = crop.apply_to_bboxes(bboxes, window=window, **params)

        top, left, bottom, right = window
        expected = []
        for row, (y0, x0, y1, x1) in enumerate(boxes * [height, width, height, width]):
            if top <= (y0 + y1) / 2 < bottom and left <= (x0 + x1) / 2 < right:
                xs = [(min(max(x, left), right) - left) / (right - left) for x in (x0, x1)]
                ys = [(min(max(y, top), bottom) - top) / (bottom - top) for y in (y0, y1)]
                expected.append([xs[0], ys[0], xs[1], ys[1], row])
                cut += x0 < left or y0 < top or x1 > right or y1 > bottom
        gone += 4 - len(expected)
        assert len(expected) > 0
        np.testing.assert_allclose(kept, expected, atol=1e-9)
        assert ((kept[:, :4] >= 0) & (kept[:, :4] <= 1)).all()
    assert gone > 1000
    assert cut > 1000


# Resize and flip


def test_each_interpolation_is_equally_frequent(recipe: list[Any]) -> None:
    counts = Counter(recipe[3].get_params()["interpolation"] for _ in range(5000))
    assert set(counts) == {cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4}
    assert set(counts) == set(INTERPOLATIONS)
    assert equally_often(list(counts.values()))


def test_half_of_the_images_are_mirrored_with_their_boxes(recipe: list[Any]) -> None:
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    bboxes = np.array([[0.1, 0.2, 0.4, 0.7, 0]])
    flipped = []
    for _ in range(4000):
        result = recipe[4](image=image, bboxes=bboxes)
        flipped.append(bool(result["image"][0, 0, 0]))
        expected = [0.6, 0.2, 0.9, 0.7, 0] if flipped[-1] else bboxes[0]
        np.testing.assert_allclose(result["bboxes"][0], expected)
    assert happens(flipped, 0.5)


# The whole, over the seeds of a training


SEEN: list[Any] = []


class Spy(alb.ImageOnlyTransform):
    """Remembers the image between two steps; outside of itself, because a pipeline copies its transforms."""

    def apply(self, img: Any, **params: Any) -> Any:
        SEEN.append(img.copy())
        return img


def test_over_the_images_of_an_epoch_every_step_keeps_its_probability_and_none_depends_on_another(
    recipe: list[Any],
) -> None:
    spied = [step for transform in recipe for step in (Spy(p=1), transform)]
    augmentation = Augmentation([*spied, Spy(p=1)])
    sample = make_sample(height=40, width=60)
    happened = []
    for index in range(2000):
        SEEN.clear()
        augmentation(sample, (7, 3, index))
        start, coloured, expanded, cropped, resized, flipped = SEEN
        happened.append(
            [
                not np.array_equal(coloured, start),
                expanded.shape != coloured.shape,
                cropped.shape == expanded.shape,
                not np.array_equal(flipped, resized),
            ]
        )
        assert resized.shape == (32, 32, 3)
        assert np.array_equal(flipped, resized[:, ::-1]) or np.array_equal(flipped, resized)
    coloured, expanded, whole, flipped = np.array(happened).T
    # the grey background only changes by brightness and contrast, the objects by saturation or hue; some are too small
    assert 0.88 < coloured.mean() < 15 / 16 + 0.02
    assert happens(expanded, 0.5 * (1 - 1 / 180))
    assert whole.mean() > 1 / 7  # the choice itself, and the draws after one that failed
    assert happens(flipped, 0.5)  # hardly ever is a crop of one colour only, whose mirror image does not show
    for one, other in ((expanded, flipped), (coloured, expanded), (coloured, flipped)):
        assert stats.fisher_exact(np.histogram2d(one, other, bins=2)[0].astype(int)).pvalue > TINY
