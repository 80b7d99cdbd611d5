"""How well the priors of a detector overlap objects, at the places where both really are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.models.priors import PriorLevel

_CHUNK = 65536  # objects at once, so that memory stays flat


def shape_ious(level: PriorLevel, boxes: NDArray[np.floating], clip: bool) -> NDArray[np.float32]:
    """The highest IoU of each object with a prior of each shape of a level.

    Of one shape it is the prior in the cell whose centre is nearest: along either axis the overlap only shrinks with
    the distance of the centres. So no prior is made, and an object costs as many IoUs as a cell has shapes.

    Args:
        level: of the detector.
        boxes: (N, 4) ymin, xmin, ymax, xmax as fractions of the image.
        clip: limit height and width of the priors to the image, as `build_priors`.

    Returns:
        (N, A) float32.
    """
    shapes = np.minimum(level.shapes, 1.0) if clip else np.asarray(level.shapes)
    chunks = np.array_split(boxes.astype(np.float64), range(_CHUNK, len(boxes), _CHUNK))
    return np.concatenate([_shape_ious(level, shapes, chunk) for chunk in chunks])


def _shape_ious(level: PriorLevel, shapes: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    shared = np.ones((len(boxes), len(shapes)))
    for axis in (0, 1):
        low, high = boxes[:, axis, None], boxes[:, axis + 2, None]
        cell = np.clip(np.floor((low + high) / 2 / level.step), 0, level.cells - 1)
        centre, half = (cell + 0.5) * level.step, shapes[:, axis] / 2
        shared *= np.maximum(np.minimum(high, centre + half) - np.maximum(low, centre - half), 0)
    union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)[:, None] + shapes.prod(axis=1) - shared
    return (shared / union).astype(np.float32)


def level_ious(levels: Sequence[PriorLevel], boxes: NDArray[np.floating], clip: bool) -> NDArray[np.float32]:
    """(N, L) float32: the highest IoU of each object with any prior of each level; arguments as `shape_ious`."""
    return np.stack([shape_ious(level, boxes, clip).max(axis=1) for level in levels], axis=1)


def matched_counts(level: PriorLevel, boxes: NDArray[np.floating], match_iou: float, clip: bool) -> NDArray[np.int64]:
    """How many priors of a level overlap each object by `match_iou` or more, whichever object they learn in the end.

    For each row of cells the overlap in height says how much in width is needed, and this how many columns have it.

    Args:
        level, boxes, clip: as `shape_ious`.
        match_iou: IoU from which a prior is matched.

    Returns:
        (N,) int64.
    """
    shapes = np.minimum(level.shapes, 1.0) if clip else np.asarray(level.shapes)
    sides, centres = (
        boxes[:, 2:].astype(np.float64) - boxes[:, :2],
        (boxes[:, :2] + boxes[:, 2:]).astype(np.float64) / 2,
    )
    rows = (np.arange(level.cells) + 0.5) * level.step
    counts = np.zeros(len(boxes), np.int64)
    for height, width in shapes:
        apart = np.abs(rows - centres[:, :1])  # (N, rows)
        shared = np.minimum((sides[:, :1] + height) / 2 - apart, np.minimum(sides[:, :1], height))
        least = match_iou / (1 + match_iou) * (sides.prod(axis=1) + height * width)  # shared area of that IoU
        needed = least[:, None] / np.maximum(shared, 1e-12) - 1e-9
        reach_x = np.where(needed <= np.minimum(sides[:, 1:], width), (sides[:, 1:] + width) / 2 - needed, -1.0)
        first = np.ceil((centres[:, 1:] - reach_x) / level.step - 0.5)
        last = np.floor((centres[:, 1:] + reach_x) / level.step - 0.5)
        columns = np.minimum(last, level.cells - 1) - np.maximum(first, 0) + 1
        counts += np.where(reach_x >= 0, np.maximum(columns, 0), 0).sum(axis=1).astype(np.int64)
    return counts


@dataclass(frozen=True)
class Reach:
    """What priors reach of a set of objects.

    Attributes:
        recall: share of the objects that a prior overlaps by `match_iou` or more.
        class_recall: the mean of that share over the classes.
        iou: mean over the objects of the highest IoU with a prior.
    """

    recall: float
    class_recall: float
    iou: float


def reach(highest: NDArray[np.floating], labels: NDArray[np.integer], match_iou: float) -> Reach:
    """From each object's highest IoU with a prior.

    Args:
        highest: (N,) of the objects, at least one.
        labels: (N,) theirs.
        match_iou: IoU from which a prior is matched.
    """
    reached = highest >= match_iou
    by_class = np.bincount(labels, reached)[np.unique(labels)] / np.bincount(labels)[np.unique(labels)]
    return Reach(float(reached.mean()), float(by_class.mean()), float(highest.mean()))
