"""COCO's metrics, computed by faster-coco-eval, whose numbers are pycocotools' numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.inference.detections import Detections

_ALL, _SMALL, _MEDIUM, _LARGE = range(4)  # COCO's area ranges: below 32x32, below 96x96 and above, in pixels
_MAX_1, _MAX_10, _MAX_100 = range(3)  # detections that count per image and class
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
    """Evaluates as pycocotools' `COCOeval(iouType="bbox")` does.

    Object sizes are the annotations' areas (COCO: of the segmentation), crowds are `iscrowd`. VOC's difficult objects
    are ordinary objects here, as when VOC is converted to COCO's format: pycocotools knows no such flag.

    Args:
        detections: one per image; at most the 100 best of each image and class count.
        annotations: one per image, in the same order.
        num_classes: labels run from 0 to num_classes - 1.
    """
    if not any(len(annotation.labels) for annotation in annotations):
        return CocoResult({}, [None] * num_classes)
    images = [
        {"id": image, "height": annotation.height, "width": annotation.width}
        for image, annotation in enumerate(annotations)
    ]
    categories = [{"id": label, "name": str(label)} for label in range(num_classes)]
    truth = {"images": images, "categories": categories, "annotations": _truth(annotations)}
    found = {"images": images, "categories": categories, "annotations": _found(detections, annotations)}
    evaluation = COCOeval_faster(COCO(truth), COCO(found), iouType="bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    # precision: (IoUs, recalls, classes, areas, maxima), recall: (IoUs, classes, areas, maxima); -1 is undefined
    precision, recall = np.asarray(evaluation.eval["precision"]), np.asarray(evaluation.eval["recall"])
    per_class = [_defined_mean(precision[:, :, label, _ALL, _MAX_100]) for label in range(num_classes)]
    return CocoResult(_summary(precision, recall), per_class)


def _summary(precision: NDArray[np.float64], recall: NDArray[np.float64]) -> dict[str, float]:
    """The twelve numbers of `COCOeval.summarize`, without those that are undefined."""
    values = {
        "mAP": precision[..., _ALL, _MAX_100],
        "mAP50_coco": precision[_IOU_50, ..., _ALL, _MAX_100],
        "mAP75": precision[_IOU_75, ..., _ALL, _MAX_100],
        "mAP_small": precision[..., _SMALL, _MAX_100],
        "mAP_medium": precision[..., _MEDIUM, _MAX_100],
        "mAP_large": precision[..., _LARGE, _MAX_100],
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


def _truth(annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
    """The objects as COCO's records. Ids start at 1 because 0 means "unmatched" to the evaluation."""
    records: list[dict[str, Any]] = []
    for image, annotation in enumerate(annotations):
        columns = (_coco_boxes(annotation.boxes, annotation), annotation.labels, annotation.areas, annotation.crowd)
        for box, label, area, crowd in zip(*(column.tolist() for column in columns), strict=True):
            records.append(
                {
                    "id": len(records) + 1,
                    "image_id": image,
                    "category_id": label,
                    "bbox": box,
                    "area": area,
                    "iscrowd": int(crowd),
                }
            )
    return records


def _found(detections: Sequence[Detections], annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
    """The detections as COCO's result records."""
    records: list[dict[str, Any]] = []
    for image, (found, annotation) in enumerate(zip(detections, annotations, strict=True)):
        boxes = _coco_boxes(found.boxes, annotation)
        columns = (boxes, found.labels, found.scores, boxes[:, 2] * boxes[:, 3])
        for box, label, score, area in zip(*(column.tolist() for column in columns), strict=True):
            records.append(
                {
                    "id": len(records) + 1,
                    "image_id": image,
                    "category_id": label,
                    "bbox": box,
                    "score": score,
                    "area": area,
                }
            )
    return records


def _coco_boxes(boxes: NDArray[np.float32], annotation: Annotation) -> NDArray[np.float64]:
    """(N, 4) x, y, width, height in pixels, from normalised ymin, xmin, ymax, xmax."""
    size = np.array([annotation.height, annotation.width] * 2, np.float64)
    top, left, bottom, right = (boxes.astype(np.float64).reshape(-1, 4) * size).T
    return np.stack([left, top, right - left, bottom - top], axis=1)
