"""The SSD recipe with one look at the pixels: colours and geometry are drawn first, then one window is read.

Step by step the recipe makes a canvas of up to 16 times the image, distorts the colours of all pixels, crops, and
throws most of it away. The draws, and with them the boxes, are those of albumentations' own way through the list
(`Augmentation`), which stays for all other lists; the pixels are the same but for rounding: where colours are changed
after resizing instead of before it, where of a canvas the image's part alone is resized, and where a JPEG is decoded at
half, a quarter or an eighth of its size because the window has that many times the result's pixels both ways.
"""

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import albumentations as alb
import numpy as np
from numpy.typing import NDArray

from ssd.data.augmentation import MIN_PIXELS, annotation_after, failure, generators, to_albumentations
from ssd.data.sample import Annotation, Picture, Sample
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.data.window import Colour, Window

# In this order a list can be drawn before it is done: colours never reach the border, no crop is turned around.
_ORDER: tuple[tuple[type[alb.BasicTransform], ...], ...] = (
    (PhotometricDistort,),
    (Expand,),
    (MinIoUCrop,),
    (RandomInterpolationResize, alb.HorizontalFlip, alb.VerticalFlip),
)
_ONCE = (Expand, RandomInterpolationResize)
_EPSILON = 1e-7  # albumentations' (`bbox_utils.filter_bboxes`)


def is_one_pass(transforms: Sequence[alb.BasicTransform | alb.BaseCompose], image_size: int) -> bool:
    """Whether a list consists of the recipe's transforms alone, in its order, and resizes to this size if it does."""
    if any(isinstance(t, RandomInterpolationResize) and t.size != image_size for t in transforms):
        return False
    places = [next((k for k, kinds in enumerate(_ORDER) if type(t) in kinds), None) for t in transforms]
    known = [place for place in places if place is not None]
    once = all(sum(type(t) is kind for t in transforms) <= 1 for kind in _ONCE)
    return bool(transforms) and len(known) == len(places) and known == sorted(known) and once


class OnePass:
    """A list of transforms for which `is_one_pass` holds, applied to samples.

    Args:
        transforms: colours, Expand, crops, then resizing and mirroring.
        image_size: S, side in pixels of the images it gives, also where the list does not resize (linear then).
    """

    def __init__(self, transforms: Sequence[alb.BasicTransform], image_size: int) -> None:
        self._transforms = list(transforms)
        self._image_size = image_size
        self._own = threading.local()

    def __reduce__(self) -> tuple[type["OnePass"], tuple[Any, ...]]:
        """Sent to another process without the copies that its threads have."""
        return OnePass, (self._transforms, self._image_size)

    def __call__(self, picture: Picture, seed: tuple[int, int, int]) -> Sample:
        """As `Augmentation`, but the result is always (S, S), and of a picture no more is decoded than it needs.

        Raises:
            UserError: a transform failed, or the picture cannot be read.
        """
        annotation = picture.annotation
        with self._explained(annotation):
            window, boxes, colours = self._draw(annotation, seed)
        image, reduction = picture.reduced(window.reduction(self._image_size))
        with self._explained(annotation):
            image = window.show(image, self._image_size, colours, reduction)
        return Sample(image, annotation_after(annotation, boxes, self._image_size, self._image_size))

    @contextmanager
    def _explained(self, annotation: Annotation) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of arguments that make no sense
            raise failure(self._transforms, error, annotation.id) from error

    def _draw(
        self, annotation: Annotation, seed: tuple[int, int, int]
    ) -> tuple[Window, NDArray[np.float64], list[Colour]]:
        """The window, the boxes in it, and the changes of colour."""
        rng, py_random = generators(seed)
        py_random.random()  # albumentations' Compose asks with it whether it is to do anything
        size = annotation.height, annotation.width  # that albumentations' image would have
        window = Window(0, 0, *size)
        boxes = _visible(to_albumentations(annotation.boxes), size)
        colours: list[Colour] = []
        for transform in self._copies():
            transform.set_random_state(rng, py_random)
            if not transform.should_apply():
                continue
            params = transform.get_params() | {"shape": (*size, 3)}
            params |= transform.get_params_dependent_on_data(params, {"bboxes": boxes})
            if isinstance(transform, PhotometricDistort):
                colours.append(partial(transform.apply, **params))
                continue
            window, size = _after(window, size, transform, params)
            boxes = _visible(transform.apply_to_bboxes(boxes, **params), size)  # type: ignore[attr-defined]
        return window, boxes, colours

    def _copies(self) -> list[alb.BasicTransform]:
        """This thread's own transforms: they keep their random state inside them."""
        if not hasattr(self._own, "transforms"):
            self._own.transforms = copy.deepcopy(self._transforms)
        return self._own.transforms


def _after(
    window: Window, size: tuple[int, int], transform: alb.BasicTransform, params: dict[str, Any]
) -> tuple[Window, tuple[int, int]]:
    """The window after a transform of the geometry, and the size of the image that albumentations would have."""
    if isinstance(transform, Expand):
        (top, left), canvas = params["corner"], params["canvas"]
        return replace(window.inside(-top, -left, *canvas), fill=transform.fill), canvas
    if isinstance(transform, MinIoUCrop):
        top, left, bottom, right = params["window"]
        size = bottom - top, right - left
        return window.inside(top, left, *size), size
    if isinstance(transform, RandomInterpolationResize):
        return replace(window, interpolation=params["interpolation"]), (transform.size, transform.size)
    if isinstance(transform, alb.HorizontalFlip):
        return replace(window, mirrored=not window.mirrored), size
    return replace(window, upside_down=not window.upside_down), size


def _visible(boxes: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes clipped to the image; those that show less than `MIN_PIXELS` are gone."""
    pixels = size[0] * size[1]
    clipped = boxes.copy()
    np.clip(boxes[:, :4], 0, 1, out=clipped[:, :4])
    seen = (_areas(boxes) * pixels >= _EPSILON) & (_areas(clipped) * pixels >= MIN_PIXELS - _EPSILON)
    return clipped if seen.all() else clipped[seen]


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
