"""How the detections of an export differ from those of the detector that it was made of."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections
from ssd.models.detector import NMSSettings

_SAME_IOU = 0.5  # from which on two boxes are taken to be the same detection
_TIED = 1e-4  # of a score and a threshold, a score and the last one kept, an IoU and the one of NMS
_SAME_SIDES = 1e-3  # of boxes without an area, which have no IoU


@dataclass(frozen=True)
class Differences:
    """Over all images.

    Attributes:
        detections: of the original.
        missing: of them without a counterpart among the export's.
        extra: of the export's without a counterpart.
        tied: left out of these two, as rounding decides: they lie at a threshold, or one of two that overlap as much as
            NMS just allows had to go.
        box, score: the largest difference of counterparts; boxes as fractions of the image.
    """

    detections: int
    missing: int
    extra: int
    tied: int
    box: float
    score: float


def differences(
    original: Sequence[Detections], exported: Sequence[Detections], nms: NMSSettings, least: float
) -> Differences:
    """Compares image by image.

    Args:
        original: of each image.
        exported: the same images.
        nms: of both.
        least: score from which on a detection must have a counterpart, whatever score that has.
    """
    parts = [_of_image(one, other, nms, least) for one, other in zip(original, exported, strict=True)]
    return Differences(
        *(sum(getattr(part, name) for part in parts) for name in ("detections", "missing", "extra", "tied")),
        *(max((getattr(part, name) for part in parts), default=0.0) for name in ("box", "score")),
    )


def _of_image(one: Detections, other: Detections, nms: NMSSettings, least: float) -> Differences:
    mine, theirs = _counterparts(one, other)
    missing, lost_by_rounding = _alone(one, other, mine, nms, least)
    extra, won_by_rounding = _alone(other, one, theirs, nms, least)
    told = one.scores[mine] >= least
    mine, theirs = mine[told], theirs[told]
    return Differences(
        detections=int(np.count_nonzero(one.scores >= least)),
        missing=missing,
        extra=extra,
        tied=lost_by_rounding + won_by_rounding,
        box=float(np.abs(one.boxes[mine] - other.boxes[theirs]).max(initial=0.0)),
        score=float(np.abs(one.scores[mine] - other.scores[theirs]).max(initial=0.0)),
    )


def _counterparts(one: Detections, other: Detections) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of each that are each other's best match of the same class."""
    if not len(one) or not len(other):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    likeness = np.where(one.labels[:, None] == other.labels, _iou(one.boxes, other.boxes), 0.0)
    best, back = likeness.argmax(axis=1), likeness.argmax(axis=0)
    rows = np.arange(len(one))
    is_pair = (back[best] == rows) & (likeness[rows, best] >= _SAME_IOU)
    return rows[is_pair], best[is_pair]


def _alone(
    one: Detections, other: Detections, paired: NDArray[np.int64], nms: NMSSettings, least: float
) -> tuple[int, int]:
    """How many have no counterpart: for good, and because rounding decides."""
    is_alone = one.scores >= least
    is_alone[paired] = False
    rows = np.flatnonzero(is_alone)
    scores = one.scores[rows]
    tied = scores <= nms.score_threshold + _TIED
    if nms.max_detections in (len(one), len(other)):
        tied |= scores <= min(one.scores.min(initial=1.0), other.scores.min(initial=1.0)) + _TIED
    overlap = np.where(one.labels[rows][:, None] == other.labels, _iou(one.boxes[rows], other.boxes), 0.0)
    tied |= (np.abs(overlap - nms.iou) < _TIED).any(axis=1)
    return int(np.count_nonzero(~tied)), int(np.count_nonzero(tied))


def _iou(boxes: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """(M, 4) and (N, 4) → (M, N); 1 for two without an area in the same place."""
    low = np.maximum(boxes[:, None, :2], others[:, :2])
    high = np.minimum(boxes[:, None, 2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=2)
    union = _areas(boxes)[:, None] + _areas(others) - common
    apart = np.abs(boxes[:, None] - others).max(axis=2)
    flat = (np.minimum(_areas(boxes)[:, None], _areas(others)) < _SAME_SIDES**2) & (apart < _SAME_SIDES)
    return np.where(flat, 1.0, common / np.maximum(union, np.finfo(np.float32).tiny)).astype(np.float32)


def _areas(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return sides[:, 0] * sides[:, 1]
