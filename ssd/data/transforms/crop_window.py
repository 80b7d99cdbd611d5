"""Which part of an image SSD's training crops: a draw from a random generator, nothing else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.floating[Any]]
Window = tuple[int, int, int, int]  # top, left, bottom, right in pixels; the last two are exclusive

MIN_IOUS = (0.1, 0.3, 0.5, 0.7, 0.9)
TRIALS = 50
SCALE = (0.3, 1.0)  # of the crop: the square root of its share of the image's area
ASPECT = (0.5, 2.0)  # of the crop relative to the image's own aspect, as in Caffe, which samples in [0, 1] x [0, 1]


def min_iou_window(rng: np.random.Generator, boxes: Boxes, height: int, width: int) -> Window:
    """Draws the window that SSD crops from an image of (height, width) pixels with normalised boxes (N, 4).

    One of {whole image, minimum IoU 0.1, 0.3, 0.5, 0.7, 0.9, unconstrained} is chosen with equal chance, then up to 50
    windows are tried; if none satisfies, another choice is made, so that this always ends. Choosing first is how
    amdegroot/ssd.pytorch (`augmentations.py`, RandomSampleCrop) and torchvision (RandomIoUCrop) do it; Caffe tries all
    seven and picks one of those that succeeded, which gives the hard minima somewhat less often.
    """
    whole = (0, 0, height, width)
    if len(boxes) == 0:
        return whole
    while True:
        choice = int(rng.integers(len(MIN_IOUS) + 2))
        if choice == len(MIN_IOUS) + 1:
            return whole
        window = try_windows(rng, boxes, height, width, (*MIN_IOUS, 0.0)[choice])
        if window is not None:
            return window


def try_windows(rng: np.random.Generator, boxes: Boxes, height: int, width: int, min_iou: float) -> Window | None:
    """The first of 50 random windows whose IoU with any box is at least `min_iou` (0: unconstrained), or None.

    The window must also hold the centre of at least one object, otherwise the crop would train on a piece of an object
    as background; amdegroot, torchvision and MMDetection ask the same, Caffe does not.
    Sizes are drawn as in Caffe's `SampleBBox`: the scale, then an aspect that leaves no side longer than the image.
    """
    draw = rng.random((4, TRIALS))
    scale = SCALE[0] + (SCALE[1] - SCALE[0]) * draw[0]
    square = scale * scale
    lowest, highest = np.maximum(ASPECT[0], square), np.minimum(ASPECT[1], 1 / square)
    root = np.sqrt(lowest + (highest - lowest) * draw[1])
    heights = np.clip(np.rint(scale / root * height), 1, height)
    widths = np.clip(np.rint(scale * root * width), 1, width)
    tops = np.floor(draw[2] * (height - heights + 1))
    lefts = np.floor(draw[3] * (width - widths + 1))
    windows = np.stack([tops, lefts, tops + heights, lefts + widths], axis=-1)

    fits = np.any(centres_inside(boxes, height, width, windows), axis=1)
    if min_iou > 0:
        fits = fits & np.any(_ious(windows, boxes * (height, width, height, width)) >= min_iou, axis=1)
    fitting = np.flatnonzero(fits)
    if not len(fitting):
        return None
    top, left, bottom, right = map(int, windows[fitting[0]].tolist())
    return top, left, bottom, right


def _ious(windows: NDArray[np.float64], boxes: Boxes) -> NDArray[np.float64]:
    """(W, N) intersection over union of windows (W, 4) and boxes (N, 4), all in pixels."""
    sides = np.minimum(windows[:, None, 2:], boxes[:, 2:]) - np.maximum(windows[:, None, :2], boxes[:, :2])
    np.maximum(sides, 0, out=sides)
    shared = sides[..., 0] * sides[..., 1]
    return shared / (_areas(windows)[:, None] + _areas(boxes) - shared)


def _areas(boxes: Boxes) -> NDArray[np.floating[Any]]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def centres_inside(boxes: Boxes, height: int, width: int, windows: NDArray[Any]) -> NDArray[np.bool_]:
    """(W, N): in which windows (W, 4) the normalised boxes (N, 4) of a (height, width) image have their centres."""
    y = (boxes[:, 0] + boxes[:, 2]) * (height / 2)
    x = (boxes[:, 1] + boxes[:, 3]) * (width / 2)
    top, left, bottom, right = windows.T[..., None]
    return (y >= top) & (y < bottom) & (x >= left) & (x < right)
