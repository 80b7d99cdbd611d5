"""The operations of AutoAugment for detection (arXiv 1906.11172) on pixels and boxes, without any chance in them.

Names, ranges and rules are those of the authors' code, tensorflow/tpu, `models/official/detection/utils/
autoaugment_utils.py` (commit 139e1f4; google/automl, `efficientdet/aug/autoaugment.py` has the same), named where this
differs. Images are (H, W, 3) uint8 RGB of any size; a strength is a magnitude / 10, negative for the other direction.
"""

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

Boxes = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]  # (2, 3): where a point (x, y) in pixels goes; 0 is the image's edge, not a pixel's middle

GREY = 128  # of every pixel that is cut out or comes from outside the image
STRIP = 0.05  # share of the image's side that a box keeps of which nothing was left
LEVELS = np.arange(256)


# Colours


def solarize_add(image: MatLike, addition: int) -> MatLike:
    """Brightens values below 128."""
    return cv2.LUT(image, np.where(LEVELS < 128, np.minimum(LEVELS + addition, 255), LEVELS).astype(np.uint8))


def _pil(image: MatLike, operation: Callable[..., Image.Image], *arguments: Any) -> MatLike:
    """An operation of Pillow, which the authors' are said to be."""
    return np.asarray(operation(Image.fromarray(image), *arguments))


def _enhanced(image: MatLike, enhancement: Callable[[Image.Image], Any], strength: float) -> MatLike:
    """Between nothing (0.1), the image (1) and beyond (1.9). Of contrast, nothing is the grey of the image's mean.

    There the authors' code divides the number of pixels by 256 instead of taking their mean, so that its grey is white
    for every image of 65280 pixels or more.
    """
    return np.asarray(enhancement(Image.fromarray(image)).enhance(0.1 + 1.8 * strength))


# Geometry


def rotation(strength: float, height: int, width: int) -> Matrix:
    """Turns by 30 degrees at full strength around the middle."""
    cosine, sine = math.cos(math.radians(30 * strength)), math.sin(math.radians(30 * strength))
    x, y = width / 2, height / 2
    return np.array([[cosine, sine, x - cosine * x - sine * y], [-sine, cosine, y + sine * x - cosine * y]])


def shear_x(strength: float, height: int, width: int) -> Matrix:
    """Moves rows by 0.3 of their distance from the top at full strength."""
    return np.array([[1, 0.3 * strength, 0], [0, 1, 0]], np.float64)


def shear_y(strength: float, height: int, width: int) -> Matrix:
    """Moves columns by 0.3 of their distance from the left at full strength."""
    return np.array([[1, 0, 0], [0.3 * strength, 1, 0]], np.float64)


def translation(x: float, y: float) -> Matrix:
    """Moves by pixels."""
    return np.array([[1, 0, x], [0, 1, y]], np.float64)


def warp(image: MatLike, matrix: Matrix) -> MatLike:
    """Moves the pixels (nearest neighbour, as the authors) inside the image's frame; what was outside is grey."""
    to_middles = matrix.copy()  # OpenCV counts from the middle of the first pixel
    to_middles[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    size = image.shape[1], image.shape[0]
    return cv2.warpAffine(image, to_middles, size, flags=cv2.INTER_NEAREST, borderValue=(GREY, GREY, GREY))


def move_boxes(boxes: Boxes, matrix: Matrix, height: int, width: int) -> Boxes:
    """The boxes around the moved boxes (N, 4; normalised, x first), clipped to the image of (height, width) pixels.

    A box of which less than a pixel is left at the image's edge becomes a strip of 0.05 of the image's side there, as
    in the authors' code: objects never get lost. That code also rounds boxes to pixels, this does not.
    """
    size = np.array([width, height])
    corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]] * size
    moved = np.clip((corners @ matrix[:, :2].T + matrix[:, 2]) / size, 0, 1)
    low, high = moved.min(axis=1), moved.max(axis=1)
    thin = (high - low) * size < 1
    low, high = np.where(thin, np.minimum(low, 1 - STRIP), low), np.where(thin, np.maximum(high, STRIP), high)
    return np.concatenate([low, high], axis=1)


# The published names

# What moves an image of (height, width), or with `Only` what is inside a box of that size.
MOVES: dict[str, Callable[[float, int, int], Matrix]] = {
    "Rotate_BBox": rotation,
    "ShearX_BBox": shear_x,
    "ShearY_BBox": shear_y,
    "TranslateX_BBox": lambda strength, height, width: translation(250 * strength, 0),
    "TranslateY_BBox": lambda strength, height, width: translation(0, 250 * strength),
    "Rotate_Only_BBoxes": rotation,
    "ShearX_Only_BBoxes": shear_x,
    "ShearY_Only_BBoxes": shear_y,
    "TranslateX_Only_BBoxes": lambda strength, height, width: translation(120 * strength, 0),
    "TranslateY_Only_BBoxes": lambda strength, height, width: translation(0, 120 * strength),
}

# What is cut out: half a side at full strength, in pixels, for BBox_Cutout as a share of half the box's side.
CUTOUTS = {"Cutout": 100, "Cutout_Only_BBoxes": 50, "BBox_Cutout": 0.75}

COLOURS: dict[str, Callable[[MatLike, float], MatLike]] = {
    "AutoContrast": lambda image, strength: _pil(image, ImageOps.autocontrast),
    "Equalize": lambda image, strength: _pil(image, ImageOps.equalize),
    # at least one bit: TensorFlow shifts by 7 where the published table asks for 8
    "Posterize": lambda image, strength: _pil(image, ImageOps.posterize, max(int(4 * strength), 1)),
    "Solarize": lambda image, strength: _pil(image, ImageOps.solarize, int(256 * strength)),
    "SolarizeAdd": lambda image, strength: solarize_add(image, int(110 * strength)),
    "Color": lambda image, strength: _enhanced(image, ImageEnhance.Color, strength),
    "Contrast": lambda image, strength: _enhanced(image, ImageEnhance.Contrast, strength),
    "Brightness": lambda image, strength: _enhanced(image, ImageEnhance.Brightness, strength),
    "Sharpness": lambda image, strength: _enhanced(image, ImageEnhance.Sharpness, strength),
    "Flip_Only_BBoxes": lambda image, strength: image[:, ::-1],
    "Solarize_Only_BBoxes": lambda image, strength: _pil(image, ImageOps.solarize, int(256 * strength)),
    "Equalize_Only_BBoxes": lambda image, strength: _pil(image, ImageOps.equalize),
}


def change(operation: str, image: MatLike, strength: float) -> MatLike:
    """What an operation makes of an image, or of the part of it that it is for; the result may be a view of it."""
    if operation in MOVES:
        return warp(image, MOVES[operation](strength, *image.shape[:2]))
    if operation in CUTOUTS:
        return np.full_like(image, GREY)
    return COLOURS[operation](image, strength)
