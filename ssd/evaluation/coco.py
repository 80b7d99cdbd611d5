"""COCO's metrics: the numbers of pycocotools to the last bit, on arrays instead of its records and loops."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.coco_matching import (
    AREAS,
    IOUS,
    RIGHT,
    WRONG,
    Found,
    GroundTruth,
    collect_found,
    collect_objects,
    match,
)
from ssd.inference.detections import Detections

RECALLS = np.linspace(0.0, 1.0, 101)
_MAXIMA = (1, 10, 100)  # detections that count per image and class
_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # COCO's area ranges: below 32x32, below 96x96 and above, in pixels
_MAX_1, _MAX_10, _MAX_100 = range(3)
_IOU_50, _IOU_75 = 0, 5  # positions in 0.50, 0.55, ..., 0.95


@dataclass(frozen=True, eq=False)
class CocoResult:
    """COCO's summary.

    Attributes:
        metrics: mAP (over IoU 0.50 to 0.95), mAP50_coco, mAP75, mAP_small, mAP_medium, mAP_large, AR1, AR10, AR100,
            AR_small, AR_medium, AR_large. What no object defines is left out.
        ap: per class, AP over IoU 0.50 to 0.95; None for a class without objects.
    """

    metrics: dict[str, float]
    ap: list[float | None]


def coco_results(detections: Sequence[Detections], annotations: Sequence[Annotation], num_classes: int) -> CocoResult:
    """Evaluates as pycocotools' `COCOeval(iouType="bbox")` does, with exactly its numbers.

    Object sizes are the annotations' areas (COCO: of the segmentation), crowds are `iscrowd`. VOC's difficult objects
    are ordinary objects here, as when VOC is converted to COCO's format: pycocotools knows no such flag.

    Args:
        detections: one per image; at most the 100 best of each image and class count.
        annotations: one per image, in the same order.
        num_classes: labels run from 0 to num_classes - 1.
    """
    objects, found = collect_objects(annotations), collect_found(detections, annotations)
    precision, recall = _accumulate(found, objects, match(found, objects), len(annotations), num_classes)
    per_class = [_defined_mean(precision[:, :, label, _ALL]) for label in range(num_classes)]
    return CocoResult(_summary(precision, recall), per_class)


def _accumulate(
    found: Found, objects: GroundTruth, outcome: NDArray[np.int8], images: int, num_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`COCOeval.accumulate`.

    Returns:
        precision (10, 101, C, 4) at each IoU, recall, class and area range when 100 detections count, and recall
        (10, C, 4, 3) at each IoU, class, area range and maximum. -1 is undefined: no object of that class and size.
    """
    precision = np.full((len(IOUS), len(RECALLS), num_classes, len(AREAS)), -1.0)
    recall = np.full((len(IOUS), num_classes, len(AREAS), len(_MAXIMA)), -1.0)
    classes = np.arange(num_classes + 1) * images
    found_ends, object_ends = np.searchsorted(found.group, classes), np.searchsorted(objects.group, classes)
    for label in range(num_classes):
        of_class = slice(*found_ends[label : label + 2])
        by_score = np.argsort(-found.scores[of_class], kind="stable")
        outcomes, rank = outcome[of_class][by_score], found.rank[of_class][by_score]
        required = np.sum(~objects.ignored[slice(*object_ends[label : label + 2])], axis=0)
        wrong_so_far = np.cumsum(outcomes == WRONG, axis=0, dtype=np.int32)
        for area, iou in product(np.flatnonzero(required), range(len(IOUS))):
            right = np.flatnonzero(outcomes[:, area, iou] == RIGHT)
            precision[iou, :, label, area] = _curve(wrong_so_far[right, area, iou], required[area])
            for index, most in enumerate(_MAXIMA):
                recall[iou, label, area, index] = np.sum(rank[right] < most) / required[area]
    return precision, recall


def _curve(wrong: NDArray[np.int32], objects: int) -> NDArray[np.float64]:
    """(101,) best precision at each recall or above, 0 beyond the last.

    Recall rises with right detections alone, and precision falls between them: the others need no place on the curve.

    Args:
        wrong: (K,) by falling score, how many wrong detections are before each right one.
        objects: that had to be found.
    """
    right = np.arange(1, len(wrong) + 1)
    precision = right / (wrong + right + np.spacing(1))  # pycocotools' guard: a first hit has precision 1 - 2e-16
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return envelope[np.searchsorted(right / objects, RECALLS)]


def _summary(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> dict[str, float]:
    """The twelve numbers of `COCOeval.summarize`, without those that are undefined."""
    values = {
        "mAP": precision[..., _ALL],
        "mAP50_coco": precision[_IOU_50, ..., _ALL],
        "mAP75": precision[_IOU_75, ..., _ALL],
        "mAP_small": precision[..., _SMALL],
        "mAP_medium": precision[..., _MEDIUM],
        "mAP_large": precision[..., _LARGE],
        "AR1": recall[..., _ALL, _MAX_1],
        "AR10": recall[..., _ALL, _MAX_10],
        "AR100": recall[..., _ALL, _MAX_100],
        "AR_small": recall[..., _SMALL, _MAX_100],
        "AR_medium": recall[..., _MEDIUM, _MAX_100],
        "AR_large": recall[..., _LARGE, _MAX_100],
    }
    means = {name: _defined_mean(value) for name, value in values.items()}
    return {name: value for name, value in means.items() if value is not None}


def _defined_mean(values: NDArray[np.float64]) -> float | None:
    """Mean of the entries that are not -1, None when all are."""
    defined = values[values > -1]
    return float(defined.mean()) if defined.size else None
