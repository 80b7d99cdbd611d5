"""Which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import MATCH_IOU, overlaps
from ssd.inference.detections import Detections


def confusion(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    score_threshold: float,
) -> NDArray[np.int64]:
    """Counts how objects (rows) were detected (columns); the last row and column stand for background.

    In each image the detections with at least `score_threshold` are taken by falling score, and each claims the free
    object of highest IoU, of any class, if that is at least `MATCH_IOU`. An object that nothing claims counts in
    the background column, a detection that claims nothing in the background row. Difficult objects and crowds stay
    free and count nowhere: a detection that falls on one, or lies at least half in a crowd, is left out.

    Returns:
        (num_classes + 1, num_classes + 1) counts; row c sums to the objects of class c that had to be found.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for found, annotation in zip(detections, annotations, strict=True):
        chosen = found.above(score_threshold)
        columns, false_alarms = _claims(chosen, annotation, background=num_classes)
        required = ~(annotation.difficult | annotation.crowd)
        np.add.at(counts, (annotation.labels[required], columns[required]), 1)
        counts[num_classes] += np.bincount(chosen.labels[false_alarms], minlength=num_classes + 1)
    return counts


def _claims(found: Detections, annotation: Annotation, background: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(N,) the class each object was detected as, or background, and the indexes of detections on nothing."""
    columns = np.full(len(annotation.labels), background, np.int64)
    both = overlaps(found.boxes, annotation)
    iou = np.where(annotation.crowd, 0.0, both.iou)
    in_crowd = np.any(annotation.crowd & (both.coverage >= MATCH_IOU), axis=1)
    touching = np.any(iou >= MATCH_IOU, axis=1)
    false_alarms = list(np.flatnonzero(~touching & ~in_crowd))
    for row in np.argsort(-found.scores, kind="stable"):
        if not touching[row]:
            continue
        best = int(np.argmax(iou[row]))
        if iou[row, best] < MATCH_IOU:  # all that it touched has been claimed since
            if not in_crowd[row]:
                false_alarms.append(row)
        elif not annotation.difficult[best]:
            columns[best] = found.labels[row]
            iou[:, best] = 0.0
    return columns, np.array(false_alarms, np.int64)
