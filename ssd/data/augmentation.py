"""Augmentation as a pure function of a sample and a seed; the only place that knows how albumentations sees boxes."""

import copy
import random
import threading
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import albumentations as alb
import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation, Picture, Sample
from ssd.data.transforms import CopyPaste
from ssd.errors import UserError, first_line

MIN_PIXELS = 1.0  # a box cut down to less than this area shows nothing of its object


class Augmentation:
    """A list of albumentations transforms, applied to samples.

    Args:
        transforms: any transforms of albumentations that work on an image, or an image and its boxes, in this order.

    Attributes:
        pictures: of which a result is made, at most: more than one where others lend something (`Mosaic`, `CopyPaste`).

    Raises:
        UserError: one of them is something else.
    """

    def __init__(self, transforms: Sequence[alb.BasicTransform | alb.BaseCompose]) -> None:
        for index, transform in enumerate(transforms):
            if not isinstance(transform, alb.BasicTransform | alb.BaseCompose):
                raise UserError(
                    f"augmentation.transforms[{index}] is a {type(transform).__name__} and not a transform of "
                    "albumentations: correct its _target_."
                )
        self._transforms = list(transforms)
        self._own = threading.local()
        self._borrowing = [one for one in _flat(self._transforms) if isinstance(one, alb.Mosaic | CopyPaste)]
        self.pictures = 1 + max((_borrowed(one) for one in self._borrowing), default=0)

    def __reduce__(self) -> tuple[type["Augmentation"], tuple[Any, ...]]:
        """Sent to another process without the copies that its threads have."""
        return Augmentation, (self._transforms,)

    def __call__(self, sample: Picture, seed: tuple[int, int, int]) -> Sample:
        """Augments a sample, which stays as it is. The same sample and seed give the same result in any thread.

        Args:
            sample: with any number of objects. Difficult and crowd objects are treated like all others. A mosaic is
                made of it and others of its data set, which follow from the seed; objects are pasted from such a one.
            seed: run seed, epoch, index of the image.

        Returns:
            A sample of the transforms' image size, its boxes clipped to the image. Objects that left the image, or of
            which less than a pixel is left, are gone; a transform that repeats an object (reflected borders) repeats
            its annotation. Areas are those of the new boxes.

        Raises:
            UserError: a transform failed, or gave something that is not a uint8 RGB image.
        """
        compose = self._compose()
        # Not Compose.set_random_seed: it starts every transform from the same state, so that their draws coincide
        # (two flips of probability 0.5 would always happen together). One shared state gives each its own draws.
        compose.set_random_state(*generators(seed))
        # A copy, because a transform may work in place and the image may be kept in a cache.
        boxes = to_albumentations(sample.annotation.boxes)
        others, annotation = self._others(sample, seed)
        try:
            result = compose(image=sample.image.copy(), bboxes=boxes, **others)
        except Exception as error:  # what a library's or a user's transform may raise
            raise failure(self._transforms, error, sample.annotation.id) from error
        image = result["image"]
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise UserError(
                f"augmentation.transforms ({_names(self._transforms)}) made of {sample.annotation.id} an image of type "
                f"{image.dtype} and shape {image.shape}, but the network takes uint8 RGB: leave out transforms that "
                "normalise, convert to tensors or drop channels"
            )
        return Sample(image, annotation_after(annotation, result["bboxes"], *image.shape[:2]))

    def _others(self, sample: Picture, seed: tuple[int, int, int]) -> tuple[dict[str, list[Any]], Annotation]:
        """Pictures to borrow from, as transforms take them; and the annotation of all, whose rows the boxes name."""
        if not self._borrowing:
            return {}, sample.annotation
        numbers = np.random.default_rng([*(part % 2**64 for part in seed), 1]).integers(2**31, size=self.pictures - 1)
        given, annotation = [], sample.annotation
        for number in numbers.tolist():
            other = sample.other(number)
            boxes = to_albumentations(other.annotation.boxes)
            boxes[:, 4] += len(annotation.boxes)
            given.append({"image": other.image, "bboxes": boxes})
            annotation = _joined(annotation, other.annotation)
        return {transform.metadata_key: given for transform in self._borrowing}, annotation

    def _compose(self) -> alb.Compose:
        """This thread's own copy of the transforms: they keep their random state and parameters inside them."""
        if not hasattr(self._own, "compose"):
            self._own.compose = alb.Compose(
                # NoOp: albumentations warns about boxes in a list of colour transforms only, which is a sensible list
                [*copy.deepcopy(self._transforms), alb.NoOp(p=0)],
                bbox_params=alb.BboxParams(
                    format="albumentations", clip=True, filter_invalid_bboxes=True, min_area=MIN_PIXELS
                ),
            )
        return self._own.compose


def _flat(transforms: Iterable[alb.BasicTransform | alb.BaseCompose]) -> Iterator[alb.BasicTransform]:
    """The transforms within others too."""
    for transform in transforms:
        if isinstance(transform, alb.BaseCompose):
            yield from _flat(transform.transforms)
        else:
            yield transform


def _borrowed(transform: alb.Mosaic | CopyPaste) -> int:
    """Of how many other pictures a transform takes something."""
    return prod(transform.grid_yx) - 1 if isinstance(transform, alb.Mosaic) else 1


def _joined(first: Annotation, second: Annotation) -> Annotation:
    """The objects of both, as of the first image."""
    return replace(
        first,
        boxes=np.concatenate([first.boxes, second.boxes]),
        labels=np.concatenate([first.labels, second.labels]),
        difficult=np.concatenate([first.difficult, second.difficult]),
        crowd=np.concatenate([first.crowd, second.crowd]),
        areas=np.concatenate([first.areas, second.areas]),
    )


def failure(transforms: Sequence[alb.BasicTransform | alb.BaseCompose], error: Exception, image: str) -> UserError:
    """The sentence on a transform that failed on an image: the one whose own code was running, where that shows."""
    frames = (frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__))
    culprit = next((type(found).__name__ for found in frames if isinstance(found, alb.BasicTransform)), None)
    if culprit is None:
        culprit = _names(transforms) if len(transforms) == 1 else f"one of {_names(transforms)}"
    return UserError(
        f"augmentation.transforms: {culprit} failed on the image {image} ({type(error).__name__}: "
        f"{first_line(error)}); correct its arguments, or leave it out."
    )


def _names(transforms: Sequence[alb.BasicTransform | alb.BaseCompose]) -> str:
    return ", ".join(type(transform).__name__ for transform in transforms)


def generators(seed: tuple[int, int, int]) -> tuple[np.random.Generator, random.Random]:
    """The two generators that albumentations' transforms draw from, both of one seed of any integers."""
    root = np.random.SeedSequence([part % 2**64 for part in seed])
    return np.random.default_rng(root), random.Random(int(root.generate_state(1, np.uint64)[0]))


def to_albumentations(boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 4) ymin, xmin, ymax, xmax → (N, 5) x_min, y_min, x_max, y_max, row; the row finds labels and flags again."""
    return np.column_stack([boxes[:, [1, 0, 3, 2]], np.arange(len(boxes))]).astype(np.float64)


def annotation_after(before: Annotation, bboxes: NDArray[np.float64], height: int, width: int) -> Annotation:
    """The annotation of the augmented image from what `to_albumentations` has become."""
    boxes = np.clip(bboxes[:, [1, 0, 3, 2]], 0, 1).astype(np.float32)
    visible = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    boxes = boxes[visible]
    # albumentations gives (0, 4) when nothing is left
    rows = bboxes[visible, 4].astype(int) if len(boxes) else np.zeros(0, int)
    sides = (boxes[:, 2:] - boxes[:, :2]) * np.array([height, width], np.float32)
    return replace(before.select(rows), height=height, width=width, boxes=boxes, areas=np.prod(sides, axis=1))
