"""Augmentation is a pure function of sample and seed, and keeps annotations true."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import albumentations as alb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.samples import COLOURS, assert_same, assert_valid, make_sample
from ssd.data.augmentation import Augmentation
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.errors import UserError


def ssd_transforms(size: int = 64) -> list[Any]:
    return [
        PhotometricDistort(),
        Expand(),
        MinIoUCrop(),
        RandomInterpolationResize(size=size),
        alb.HorizontalFlip(p=0.5),
    ]


def test_the_same_in_any_thread_and_order() -> None:
    augmentation = Augmentation([*ssd_transforms(), alb.OneOf([alb.GaussNoise(p=1), alb.Blur(p=1)], p=0.5)])
    sample = make_sample()
    seeds = [(7, epoch, index) for epoch in range(4) for index in range(25)]
    alone = [augmentation(sample, seed) for seed in seeds]
    order = np.random.default_rng(0).permutation(len(seeds))
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda i: augmentation(sample, seeds[i]), order))
    for i, result in zip(order, together, strict=True):
        assert_same(result, alone[i])
    assert len({result.image.tobytes() for result in alone}) == len(seeds)


def test_each_part_of_the_seed_counts_and_may_be_any_integer() -> None:
    augmentation = Augmentation(ssd_transforms())
    seeds = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (2**70, 3, 0)]
    assert len({augmentation(make_sample(), seed).image.tobytes() for seed in seeds}) == len(seeds)


def test_transforms_draw_independently_of_each_other() -> None:
    flips = Augmentation([alb.HorizontalFlip(p=0.5), alb.VerticalFlip(p=0.5)])
    image = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    sample = replace(make_sample(()), image=image)
    corners = [int(flips(sample, (0, 0, i)).image[0, 0, 0]) for i in range(400)]
    for corner in (0, 3, 6, 9):  # not flipped, horizontally, vertically, both
        assert 70 < corners.count(corner) < 130


def test_the_sample_given_stays_as_it_is() -> None:
    class Vandal(alb.ImageOnlyTransform):
        def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
            img[:] = 0
            return img

    sample = make_sample()
    before = make_sample()
    result = Augmentation([Vandal(p=1), *ssd_transforms()])(sample, (0, 0, 0))
    assert_same(sample, before)
    assert not np.array_equal(result.image, before.image)


def test_labels_and_flags_follow_their_boxes() -> None:
    sample = make_sample()
    result = Augmentation([alb.Crop(x_min=20, y_min=0, x_max=60, y_max=40), alb.HorizontalFlip(p=1)])(sample, (0, 0, 0))
    assert_valid(result)
    assert (result.annotation.height, result.annotation.width) == (40, 40)
    # the first object ends at x 24 and keeps its last 4 columns, which the flip brings to the right
    assert result.annotation.labels.tolist() == [10, 11, 12]
    np.testing.assert_allclose(result.annotation.boxes[0], [0.1, 0.9, 0.3, 1.0], atol=1e-6)
    np.testing.assert_allclose(result.annotation.boxes[1], [0.5, 1 - 34 / 40, 1.0, 1 - 10 / 40], atol=1e-6)

    result = Augmentation([alb.Crop(x_min=25, y_min=0, x_max=60, y_max=40)])(sample, (0, 0, 0))
    assert result.annotation.labels.tolist() == [11, 12]
    assert result.annotation.difficult.tolist() == [True, False]
    assert result.annotation.crowd.tolist() == [False, True]
    assert_valid(result)


def test_objects_that_leave_the_image_are_gone() -> None:
    result = Augmentation([alb.Affine(translate_percent={"x": 3.0, "y": 0.0}, p=1)])(make_sample(), (0, 0, 0))
    assert_valid(result)
    assert len(result.annotation.boxes) == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data(), seed=st.integers(0, 2**31))
def test_the_papers_augmentation_gives_valid_samples(data: st.DataObject, seed: int) -> None:
    height, width = data.draw(st.integers(8, 90)), data.draw(st.integers(8, 90))
    boxes = []
    for _ in range(data.draw(st.integers(0, 5))):
        sides = [data.draw(st.floats(0.02, 1)) for _ in range(2)]
        starts = [data.draw(st.floats(0, 1 - side)) for side in sides]
        boxes.append([*starts, starts[0] + sides[0], starts[1] + sides[1]])
    sample = make_sample(np.clip(boxes, 0, 1).tolist(), height, width)
    result = Augmentation(ssd_transforms(32))(sample, (seed, 0, 0))
    assert_valid(result)
    assert result.image.shape == (32, 32, 3)
    assert result.annotation.id == "sample"


def test_boxes_stay_on_their_objects() -> None:
    geometry = Augmentation([Expand(), MinIoUCrop(), alb.HorizontalFlip(p=0.5)])
    sample = make_sample()
    for i in range(100):
        result = geometry(sample, (0, 0, i))
        height, width = result.image.shape[:2]
        for box, label in zip(result.annotation.boxes, result.annotation.labels, strict=True):
            rows, columns = np.nonzero((result.image == COLOURS[label - 10]).all(axis=-1))
            place = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            np.testing.assert_allclose(box * [height, width, height, width], place, atol=1e-3)


@pytest.mark.parametrize(
    "transform",
    [
        alb.Affine(rotate=(-20, 20), scale=(0.5, 1.5), p=1),
        alb.Perspective(p=1),
        alb.CLAHE(p=1),
        alb.ToGray(p=1),
        alb.CoarseDropout(p=1),
        alb.RandomSizedBBoxSafeCrop(height=30, width=30),
        alb.PadIfNeeded(min_height=100, min_width=100, border_mode=4),
        alb.OneOf([alb.VerticalFlip(p=1), alb.Transpose(p=1)], p=1),
    ],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("objects", [0, 3])
def test_any_transform_of_albumentations(transform: alb.BasicTransform, objects: int) -> None:
    sample = make_sample() if objects else make_sample(())
    for seed in range(5):
        assert_valid(Augmentation([transform])(sample, (seed, 0, 0)))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("transforms", [[], [alb.GaussianBlur(p=1)]], ids=["none", "colours only"])
def test_lists_without_geometry_keep_the_boxes(transforms: list[alb.BasicTransform]) -> None:
    sample = make_sample()
    result = Augmentation(transforms)(sample, (0, 0, 0))
    np.testing.assert_array_equal(result.annotation.boxes, sample.annotation.boxes)
    np.testing.assert_array_equal(result.annotation.labels, sample.annotation.labels)


def test_an_image_that_is_no_longer_uint8_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"augmentation\.transforms \(Normalize\) made of sample an image of type float32.*uint8 RGB"
    ):
        Augmentation([alb.Normalize()])(make_sample(), (0, 0, 0))


class Failing(alb.ImageOnlyTransform):
    """A user's own transform that does not work."""

    def __init__(self, what: str, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.what = what

    def apply(self, img: np.ndarray, **_: object) -> object:
        if self.what == "raises":
            raise ValueError("no luck\nand more of it")
        if self.what == "fills the memory":
            raise MemoryError
        return {"nothing": None, "a text": "image", "an empty image": img[:0], "grey": img[..., 0]}[self.what]


@pytest.mark.parametrize(
    ("transforms", "sentence"),
    [
        ([Failing("raises")], r"Failing failed on the image sample \(ValueError: no luck\); correct its arguments"),
        (
            [alb.NoOp(), alb.OneOf([Failing("raises")], p=1)],
            r"Failing failed on the image sample \(ValueError: no luck",
        ),
        ([Failing("fills the memory")], r"Failing failed on the image sample \(MemoryError"),
        ([Failing("nothing")], r"Failing failed on the image sample"),
        ([Failing("a text")], r"Failing failed on the image sample"),
        ([Failing("an empty image")], r"\(Failing\) made of sample an image of type uint8 and shape \(0, 60, 3\)"),
        ([Failing("grey")], r"\(Failing\) made of sample an image of type uint8 and shape \(40, 60\)"),
        ([alb.RandomCrop(500, 500)], r"RandomCrop failed on the image sample \(CropSizeError: "),
        ([alb.NoOp(), lambda **given: given], r"transforms\[1\] is a function and not a transform of albumentations"),
    ],
)
def test_a_transform_that_fails_is_named_with_its_image(transforms: list[Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as error:
        Augmentation(transforms)(make_sample(), (0, 0, 0))
    assert str(error.value).startswith("augmentation.transforms")
    assert "\n" not in str(error.value)
