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

Boxes = NDArray[np.floating[Any]]
Matrix = NDArray[np.float64]  # (2, 3): where a point (x, y) in pixels goes; 0 is the image's edge, not a pixel's middle

GREY = 128  # of every pixel that is cut out or comes from outside the image
STRIP = 0.05  # share of the image's side that a box keeps of which nothing was left
LEVELS = np.arange(256)
GREY_WEIGHTS = np.array([0.299, 0.587, 0.114])
SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


# Colours


def autocontrast(image: MatLike) -> MatLike:
    """Stretches each channel to 0…255 (as PIL.ImageOps.autocontrast)."""
    tables = []
    for counts in _histograms(image):
        lowest, highest = np.flatnonzero(counts)[[0, -1]]
        if lowest == highest:
            tables.append(LEVELS)
        else:
            scale = 255 / (highest - lowest)
            tables.append(np.clip(LEVELS * scale - lowest * scale, 0, 255))
    return _look_up(image, tables)


def equalize(image: MatLike) -> MatLike:
    """Spreads each channel's histogram evenly (as PIL.ImageOps.equalize).

    Neither cv2.equalizeHist is that, nor albumentations' "pil" mode, which lacks the shift by one level.
    """
    tables = []
    for counts in _histograms(image):
        step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
        below = np.cumsum(counts) - counts
        tables.append(np.minimum((step // 2 + below) // step, 255) if step else LEVELS)
    return _look_up(image, tables)


def _histograms(image: MatLike) -> NDArray[np.int64]:
    """(3, 256) pixels of each level."""
    counts = [cv2.calcHist([image], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
    return np.array(counts).astype(np.int64)


def _look_up(image: MatLike, tables: list[NDArray[Any]]) -> MatLike:
    """Each channel through its own table (256,), whose values are rounded down."""
    return cv2.LUT(image, np.stack(tables, axis=-1).astype(np.uint8)[:, None])


def posterize(image: MatLike, bits: int) -> MatLike:
    """Keeps the highest bits, at least one: TensorFlow shifts by 7 where the published table asks for 8."""
    return np.bitwise_and(image, 256 - 2 ** (8 - max(bits, 1)))


def solarize(image: MatLike, threshold: int) -> MatLike:
    """Inverts values from the threshold on."""
    return cv2.LUT(image, np.where(threshold > LEVELS, LEVELS, 255 - LEVELS).astype(np.uint8))


def solarize_add(image: MatLike, addition: int) -> MatLike:
    """Brightens values below 128."""
    return cv2.LUT(image, np.where(LEVELS < 128, np.minimum(LEVELS + addition, 255), LEVELS).astype(np.uint8))


def color(image: MatLike, factor: float) -> MatLike:
    """Between grey (0), the image (1) and beyond (as PIL.ImageEnhance.Color)."""
    return cv2.transform(image, factor * np.eye(3) + (1 - factor) * GREY_WEIGHTS)


def contrast(image: MatLike, factor: float) -> MatLike:
    """Between the grey of the image's mean (0), the image (1) and beyond (as PIL.ImageEnhance.Contrast).

    The authors' code says that it is PIL's, but divides the number of pixels by 256 where PIL takes their mean, so that
    its grey is white for every image of 65280 pixels or more. This is PIL's.
    """
    mean = round(cv2.mean(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))[0])
    return cv2.LUT(image, np.clip(mean + factor * (LEVELS - mean), 0, 255).astype(np.uint8))


def brightness(image: MatLike, factor: float) -> MatLike:
    """Between black (0), the image (1) and beyond (as PIL.ImageEnhance.Brightness)."""
    return cv2.LUT(image, np.minimum(factor * LEVELS, 255).astype(np.uint8))


def sharpness(image: MatLike, factor: float) -> MatLike:
    """Between smoothed (0), the image (1) and beyond, its edge as it is (as PIL.ImageEnhance.Sharpness)."""
    kernel = (1 - factor) * SMOOTH
    kernel[1, 1] += factor
    result = image.copy()
    result[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel)[1:-1, 1:-1]
    return result


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
    "AutoContrast": lambda image, strength: autocontrast(image),
    "Equalize": lambda image, strength: equalize(image),
    "Posterize": lambda image, strength: posterize(image, int(4 * strength)),
    "Solarize": lambda image, strength: solarize(image, int(256 * strength)),
    "SolarizeAdd": lambda image, strength: solarize_add(image, int(110 * strength)),
    "Color": lambda image, strength: color(image, 0.1 + 1.8 * strength),
    "Contrast": lambda image, strength: contrast(image, 0.1 + 1.8 * strength),
    "Brightness": lambda image, strength: brightness(image, 0.1 + 1.8 * strength),
    "Sharpness": lambda image, strength: sharpness(image, 0.1 + 1.8 * strength),
    "Flip_Only_BBoxes": lambda image, strength: image[:, ::-1],
    "Solarize_Only_BBoxes": lambda image, strength: solarize(image, int(256 * strength)),
    "Equalize_Only_BBoxes": lambda image, strength: equalize(image),
}


def change(operation: str, image: MatLike, strength: float) -> MatLike:
    """What an operation makes of an image, or of the part of it that it is for; the result may be a view of it."""
    if operation in MOVES:
        return warp(image, MOVES[operation](strength, *image.shape[:2]))
    if operation in CUTOUTS:
        return np.full_like(image, GREY)
    return COLOURS[operation](image, strength)
