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


@pytest.mark.parametrize("interpolation", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
@pytest.mark.parametrize("canvas", [(300, 400), (130, 160)])
def test_a_warped_window_is_the_resized_canvas(interpolation: int, canvas: tuple[int, int]) -> None:
    image = photograph(120, 150).image
    window = Window(-7, -5, *canvas, fill=(120, 130, 140), interpolation=interpolation)
    expected = cv2.resize(window._with_border(image), (SIZE, SIZE), interpolation=interpolation)
    assert np.abs(window.show(image, SIZE, []).astype(int) - expected).max() <= 8


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
