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
    scale = rng.uniform(*SCALE, TRIALS)
    aspect = rng.uniform(np.maximum(ASPECT[0], scale**2), np.minimum(ASPECT[1], scale**-2))
    heights = np.clip(np.rint(scale / np.sqrt(aspect) * height), 1, height).astype(int)
    widths = np.clip(np.rint(scale * np.sqrt(aspect) * width), 1, width).astype(int)
    tops = rng.integers(0, height - heights, endpoint=True)
    lefts = rng.integers(0, width - widths, endpoint=True)
    windows = np.stack([tops, lefts, tops + heights, lefts + widths], axis=-1)

    pixels = boxes * np.array([height, width, height, width])
    overlap = np.minimum(windows[:, None, 2:], pixels[:, 2:]) - np.maximum(windows[:, None, :2], pixels[:, :2])
    shared = np.prod(np.maximum(overlap, 0), axis=-1)
    iou = shared / ((heights * widths)[:, None] + np.prod(pixels[:, 2:] - pixels[:, :2], axis=-1) - shared)
    inside = centres_inside(boxes, height, width, windows)

    satisfied = np.flatnonzero(np.any(iou >= min_iou, axis=1) & np.any(inside, axis=1))
    if len(satisfied) == 0:
        return None
    top, left, bottom, right = windows[satisfied[0]].tolist()
    return top, left, bottom, right


def centres_inside(boxes: Boxes, height: int, width: int, windows: NDArray[np.int_]) -> NDArray[np.bool_]:
    """(W, N): in which windows (W, 4) the normalised boxes (N, 4) of a (height, width) image have their centres."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 * (height, width)
    return np.all((centres >= windows[:, None, :2]) & (centres < windows[:, None, 2:]), axis=-1)
