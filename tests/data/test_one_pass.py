"""The recipe in one pass gives what it gives step by step: the same boxes, the same pixels but for rounding."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache

import albumentations as alb
import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from helpers.samples import assert_same, assert_valid, make_sample
from ssd.config.instantiate import instantiate
from ssd.data.augmentation import Augmentation
from ssd.data.images import decode_image
from ssd.data.one_pass import OnePass, is_one_pass
from ssd.data.sample import Sample
from ssd.data.transforms import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.data.window import Window
from ssd.environment import ROOT
from ssd.errors import UserError

SIZE = 64


def recipe() -> list[alb.BasicTransform]:
    return [
        PhotometricDistort(),
        Expand(),
        MinIoUCrop(),
        RandomInterpolationResize(size=SIZE),
        alb.HorizontalFlip(p=0.5),
        alb.VerticalFlip(p=0.3),
    ]


@cache
def photograph(height: int, width: int) -> Sample:
    """As smooth as photographs are."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    smooth = cv2.normalize(cv2.GaussianBlur(image, (0, 0), 6), None, 0, 255, cv2.NORM_MINMAX)  # type: ignore[call-overload]
    return replace(make_sample(height=height, width=width), image=smooth)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, 2**40), st.sampled_from([(120, 150), (40, 230), (64, 64), (31, 20)]))
def test_boxes_are_those_of_the_steps(seed: int, size: tuple[int, int]) -> None:
    sample = photograph(*size)
    expected = Augmentation(recipe())(sample, (seed, 1, 2)).annotation
    found = OnePass(recipe(), SIZE)(sample, (seed, 1, 2)).annotation
    assert expected.labels.tolist() == found.labels.tolist()
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-6)
    np.testing.assert_allclose(found.areas, expected.areas, rtol=1e-5)


@pytest.mark.parametrize("size", [(240, 320), (100, 70)])
def test_pixels_are_those_of_the_steps_but_for_rounding(size: tuple[int, int]) -> None:
    sample, means = photograph(*size), []
    for seed in range(60):
        expected = Augmentation(recipe())(sample, (seed, 0, 0)).image.astype(int)
        differences = np.abs(OnePass(recipe(), SIZE)(sample, (seed, 0, 0)).image - expected)
        assert np.percentile(differences, 95) <= 8, seed  # of 255; at the border of a canvas they can be more
        means.append(differences.mean())
    assert max(means) < 3
    assert np.mean(means) < 0.6


ALL = {"nearest": 0, "linear": 1, "cubic": 2, "area": 3, "lanczos": 4}


def canvas_of(image: np.ndarray, window: Window) -> np.ndarray:
    """The window's own pixels, as the recipe makes them: the image on its canvas, cut out."""
    far = cv2.copyMakeBorder(image, 400, 400, 400, 400, cv2.BORDER_CONSTANT, value=window.fill)
    top, left = window.top + 400, window.left + 400
    return far[top : top + window.height, left : left + window.width]


@pytest.mark.parametrize("interpolation", ALL.values(), ids=ALL)
@pytest.mark.parametrize("place", [(10, 20, 90, 100), (0, 0, 120, 150), (30, 3, 40, 61)])
def test_a_window_inside_is_resized_as_opencv_does(interpolation: int, place: tuple[int, int, int, int]) -> None:
    image = photograph(120, 150).image
    window = Window(*place, fill=(1, 2, 3), interpolation=interpolation)
    expected = cv2.resize(canvas_of(image, window), (SIZE, SIZE), interpolation=interpolation)
    assert np.abs(window.show(image, SIZE, []).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("interpolation", ALL.values(), ids=ALL)
@pytest.mark.parametrize(
    "place", [(-7, -5, 300, 400), (-7, -5, 130, 160), (-100, 20, 180, 200), (-1, 149, 50, 60), (100, -60, 21, 67)]
)
def test_a_window_with_a_border_is_the_resized_canvas(interpolation: int, place: tuple[int, int, int, int]) -> None:
    image = photograph(120, 150).image
    window = Window(*place, fill=(120, 130, 140), interpolation=interpolation)
    expected = cv2.resize(canvas_of(image, window), (SIZE, SIZE), interpolation=interpolation)
    differences = np.abs(window.show(image, SIZE, []).astype(int) - expected)
    if (
        interpolation == cv2.INTER_NEAREST
    ):  # which a shift of nothing moves by a whole pixel, where it falls between two
        assert (differences.max(axis=2) > 8).mean() < 0.04
    else:
        assert differences.max() <= 5


@pytest.mark.parametrize(
    ("height", "width", "reduction"),
    [(300, 300, 1), (599, 2000, 1), (600, 600, 2), (1199, 1300, 2), (1200, 5000, 4), (2400, 2400, 8), (9000, 9000, 8)],
)
def test_the_image_is_reduced_where_the_window_keeps_its_pixels(height: int, width: int, reduction: int) -> None:
    assert Window(0, 0, height, width).reduction(300) == reduction


@pytest.mark.parametrize("interpolation", ALL.values(), ids=ALL)
@pytest.mark.parametrize("reduction", [2, 4, 8])
@pytest.mark.parametrize("place", [(-200, -150, 720, 900), (31, 45, 601, 735), (3, -77, 600, 1000)])
def test_of_a_jpeg_decoded_at_a_part_of_its_size_the_same_is_shown(
    interpolation: int, reduction: int, place: tuple[int, int, int, int]
) -> None:
    small = photograph(85, 105).image
    data = cv2.imencode(".jpg", cv2.resize(small, (835, 679), interpolation=cv2.INTER_CUBIC))[1].tobytes()
    window = Window(*place, fill=(120, 130, 140), interpolation=interpolation)
    whole, part = (window.show(decode_image(data, "", 10**6, reduction=by), SIZE, [], by) for by in (1, reduction))
    differences = np.abs(part.astype(int) - whole)
    assert differences.mean() < 2.5
    assert np.percentile(differences, 95) <= 7


def test_the_fill_keeps_its_colour() -> None:
    one_pass = OnePass([PhotometricDistort(), Expand(max_ratio=4.0, p=1.0)], SIZE)
    for seed in range(20):
        image = one_pass(photograph(120, 150), (seed, 0, 0)).image
        corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
        assert (np.abs(corners.astype(int) - (123, 117, 104)) <= 1).all(axis=1).any()


def test_the_same_in_any_thread_and_order_and_the_sample_stays() -> None:
    one_pass, sample = OnePass(recipe(), SIZE), photograph(120, 150)
    before = sample.image.copy()
    alone = [one_pass(sample, (0, 0, k)) for k in range(60)]
    with ThreadPoolExecutor(8) as pool:
        for first, second in zip(alone, pool.map(lambda k: one_pass(sample, (0, 0, k)), range(60)), strict=True):
            assert_same(first, second)
            assert_valid(first)
    assert (sample.image == before).all()
    assert len({result.image.tobytes() for result in alone}) == 60


@pytest.mark.parametrize("name", ["ssd", "ssdlite", "cells", "flip"])
def test_shipped_lists_go_through_in_one_pass(name: str) -> None:
    group = OmegaConf.load(ROOT / "conf" / "augmentation" / f"{name}.yaml")
    node = OmegaConf.create({"detector": {"image_size": SIZE}, "augmentation": group})
    transforms = [instantiate(item, name) for item in node.augmentation.transforms]
    assert is_one_pass(transforms, SIZE)
    result = OnePass(transforms, SIZE)(photograph(120, 150), (0, 0, 0))
    assert result.image.shape == (SIZE, SIZE, 3)
    assert_valid(result)


@pytest.mark.parametrize(
    "transforms",
    [
        [],
        [alb.Blur()],
        [Expand(), PhotometricDistort()],  # which would change the colour of the canvas
        [MinIoUCrop(), Expand()],  # whose canvas hides what the crop has cut off
        [Expand(), Expand()],
        [alb.HorizontalFlip(), MinIoUCrop()],
        [RandomInterpolationResize(size=32)],
        [alb.OneOf([alb.HorizontalFlip()])],
    ],
    ids=str,
)
def test_other_lists_go_step_by_step(transforms: list[alb.BasicTransform]) -> None:
    assert not is_one_pass(transforms, SIZE)


def test_arguments_that_make_no_sense_are_named() -> None:
    with pytest.raises(UserError, match=r"transforms: Expand failed on the image sample \(ValueError: "):
        OnePass([Expand(max_ratio=0.1, p=1.0)], SIZE)(photograph(120, 150), (0, 0, 0))
