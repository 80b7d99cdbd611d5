"""The augmentations of the SSD paper that albumentations lacks, as albumentations transforms.

They follow the original implementation (branch `ssd` of weiliu89/caffe: `im_transforms.cpp`, `sampler.cpp` and
`examples/ssd/ssd_pascal.py`; arXiv 1512.02325, section 2.2 and 3.6), named where they differ. All randomness comes
from the generators that albumentations gives a transform, so that one seed decides everything.
"""

from collections.abc import Sequence
from typing import Any

import albumentations as alb
import cv2
import numpy as np
from albumentations.core.type_definitions import Targets
from cv2.typing import MatLike
from numpy.typing import NDArray

from ssd.data.transforms.crop_window import Boxes, Window, centres_inside, min_iou_window

INTERPOLATIONS = (cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)


class PhotometricDistort(alb.ImageOnlyTransform):
    """SSD's colour distortion of a uint8 RGB image (Caffe `im_transforms.cpp`, ApplyDistort).

    Brightness first; then, with equal chance, contrast → saturation → hue or saturation → hue → contrast; each of the
    four with probability 0.5. Every step clips to uint8. Hue turns around at 180 instead of stopping there as it does
    in Caffe: it is an angle.

    Args:
        brightness: largest amount added to every channel, of 255.
        contrast: the image is multiplied by a factor from this range.
        saturation: so is the saturation channel.
        hue: largest turn of the hue, on OpenCV's scale of 0 to 180.
        p: probability that the transform is applied at all.
    """

    def __init__(
        self,
        brightness: float = 32,
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: float = 18,
        p: float = 1.0,
    ) -> None:
        super().__init__(p=p)
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue

    def get_params(self) -> dict[str, Any]:
        """Draws the four changes; None stands for a change that does not happen."""
        draw = self.py_random

        def sometimes(low: float, high: float) -> float | None:
            return draw.uniform(low, high) if draw.random() < 0.5 else None

        return {
            "brightness": sometimes(-self.brightness, self.brightness),
            "contrast_first": draw.random() < 0.5,
            "contrast": sometimes(*self.contrast),
            "saturation": sometimes(*self.saturation),
            "hue": sometimes(-self.hue, self.hue),
        }

    def apply(
        self,
        img: MatLike,
        brightness: float | None,
        contrast_first: bool,
        contrast: float | None,
        saturation: float | None,
        hue: float | None,
        **params: Any,
    ) -> MatLike:
        if brightness is not None:
            img = cv2.add(img, np.full(4, round(brightness), np.float64))
        if contrast is not None and contrast_first:
            img = _scale(img, contrast)
        if saturation is not None or hue is not None:
            img = _change_saturation_and_hue(img, saturation, hue)
        if contrast is not None and not contrast_first:
            img = _scale(img, contrast)
        return img


def _scale(image: MatLike, factor: float) -> MatLike:
    """Multiplies by a positive factor, rounds and clips: OpenCV's fastest function for it; its "abs" does nothing."""
    return cv2.convertScaleAbs(image, alpha=factor)


def _change_saturation_and_hue(image: MatLike, saturation: float | None, hue: float | None) -> MatLike:
    """Both on 8-bit HSV by look-up, since a step on 256 levels is a table; a channel by itself takes half the time."""
    levels = np.arange(256)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    if hue is not None:
        _look_up(hsv, 0, (levels + round(hue)) % 180)
    if saturation is not None:
        _look_up(hsv, 1, np.clip(np.rint(levels * saturation), 0, 255))
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _look_up(image: MatLike, channel: int, table: NDArray[Any]) -> None:
    """Replaces a channel's levels by those of a table of 256."""
    cv2.insertChannel(cv2.LUT(cv2.extractChannel(image, channel), table.astype(np.uint8)), image, channel)


class Expand(alb.DualTransform):
    """Zooms out: puts the image at a random place on a larger canvas of one colour (Caffe `ExpandImage`).

    Args:
        max_ratio: the canvas is U(1, max_ratio) times as wide and as high as the image.
        fill: colour of the canvas, RGB; by default the mean colour of ImageNet that Caffe's recipe uses.
        p: probability.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, max_ratio: float = 4.0, fill: Sequence[float] = (123, 117, 104), p: float = 0.5) -> None:
        super().__init__(p=p)
        self.max_ratio = max_ratio
        self.fill = tuple(fill)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the canvas (height, width in pixels) and where the image's upper left corner comes to lie."""
        height, width = params["shape"][:2]
        ratio = self.py_random.uniform(1, self.max_ratio)
        canvas = int(height * ratio), int(width * ratio)
        return {
            "canvas": canvas,
            "corner": (self.py_random.randint(0, canvas[0] - height), self.py_random.randint(0, canvas[1] - width)),
        }

    def apply(self, img: MatLike, canvas: tuple[int, int], corner: tuple[int, int], **params: Any) -> MatLike:
        (height, width), (top, left) = img.shape[:2], corner
        bottom, right = canvas[0] - top - height, canvas[1] - left - width
        return cv2.copyMakeBorder(img, top, bottom, left, right, cv2.BORDER_CONSTANT, value=self.fill)

    def apply_to_bboxes(self, bboxes: Boxes, canvas: tuple[int, int], corner: tuple[int, int], **params: Any) -> Boxes:
        height, width = params["shape"][:2]
        return _move(bboxes, (height, width), (-corner[0], -corner[1]), canvas)


class MinIoUCrop(alb.DualTransform):
    """SSD's crop: the whole image, or a part that shows some object by at least a given IoU, see `min_iou_window`.

    An object stays when its centre is inside the crop, and is clipped to it. An image without objects stays whole:
    no crop of it can satisfy a minimum (Caffe's samplers find none either).

    Args:
        p: probability that the choice is made at all (the whole image is already one choice of seven).
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, p: float = 1.0) -> None:
        super().__init__(p=p)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the window to keep."""
        boxes = np.asarray(data["bboxes"])[:, [1, 0, 3, 2]]
        return {"window": min_iou_window(self.random_generator, boxes, *params["shape"][:2])}

    def apply(self, img: MatLike, window: Window, **params: Any) -> MatLike:
        top, left, bottom, right = window
        return img[top:bottom, left:right]

    def apply_to_bboxes(self, bboxes: Boxes, window: Window, **params: Any) -> Boxes:
        top, left, bottom, right = window
        height, width = params["shape"][:2]
        kept = bboxes[centres_inside(bboxes[:, [1, 0, 3, 2]], height, width, np.array([window]))[0]]
        moved = _move(kept, (height, width), (top, left), (bottom - top, right - left))
        moved[:, :4] = np.clip(moved[:, :4], 0, 1)
        return moved


def _move(bboxes: Boxes, size: tuple[int, int], origin: tuple[int, int], new_size: tuple[int, int]) -> Boxes:
    """Boxes (N, 4 + any, albumentations' x first) of an image of `size` seen from a window at `origin`, in pixels."""
    moved = bboxes.astype(np.float64)
    moved[:, 0:4:2] = (moved[:, 0:4:2] * size[1] - origin[1]) / new_size[1]
    moved[:, 1:4:2] = (moved[:, 1:4:2] * size[0] - origin[0]) / new_size[0]
    return moved


class RandomInterpolationResize(alb.DualTransform):
    """Resizes to a square without keeping the aspect, by nearest, linear, cubic, area or Lanczos with equal chance.

    Args:
        size: side of the square in pixels.
        p: probability.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, size: int, p: float = 1.0) -> None:
        super().__init__(p=p)
        self.size = size

    def get_params(self) -> dict[str, Any]:
        """Draws OpenCV's code of the interpolation."""
        return {"interpolation": self.py_random.choice(INTERPOLATIONS)}

    def apply(self, img: MatLike, interpolation: int, **params: Any) -> MatLike:
        return cv2.resize(img, (self.size, self.size), interpolation=interpolation)

    def apply_to_bboxes(self, bboxes: Boxes, **params: Any) -> Boxes:
        """Normalised boxes do not change with the size."""
        return bboxes
