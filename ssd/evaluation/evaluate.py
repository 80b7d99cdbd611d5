"""All metrics of one evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.coco import CocoResult, coco_results
from ssd.evaluation.confusion import confusion
from ssd.evaluation.voc import ClassResult, mean, voc_results
from ssd.inference.detections import Detections


@dataclass(frozen=True)
class ClassRow:
    """One line of the table. What is undefined (no object, or no detection above the threshold) is None.

    Attributes:
        name: of the class, or "all".
        images: with at least one object of the class.
        objects: that had to be found: neither difficult nor a crowd.
        precision: right detections / detections, with at least the score threshold, at IoU 0.5; difficult ignored.
        recall: right detections / objects, with at least the score threshold, at IoU 0.5.
        ap50: VOC's area AP at IoU 0.5.
        ap: COCO's AP over IoU 0.50 to 0.95.
    """

    name: str
    images: int
    objects: int
    precision: float | None
    recall: float | None
    ap50: float | None
    ap: float | None


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision over recall of one class at IoU 0.5, one point per detection by falling score.

    Attributes:
        name: of the class.
        recall, precision, scores: (K,) each.
        ap50: VOC's area AP.
    """

    name: str
    recall: NDArray[np.float64]
    precision: NDArray[np.float64]
    scores: NDArray[np.float32]
    ap50: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        metrics: mAP50 (VOC's area AP at IoU 0.5), mAP50_07 (VOC 2007's 11 points), precision and recall (of all
            detections together, at the score threshold), and COCO's: mAP, mAP50_coco, mAP75, mAP_small, mAP_medium,
            mAP_large, AR1, AR10, AR100, AR_small, AR_medium, AR_large. Undefined ones are left out: never NaN.
        per_class: one row per class, in label order.
        total: the row "all": means of ap50 and ap over the classes that have objects, all objects together otherwise.
        curves: of the classes that have objects, in label order.
        confusion: (C + 1, C + 1) counts, row truth, column prediction, last background; see `confusion`.
        class_names: C names.
        score_threshold: used by precision, recall and confusion; never by an average precision.
    """

    metrics: dict[str, float]
    per_class: tuple[ClassRow, ...]
    total: ClassRow
    curves: tuple[Curve, ...]
    confusion: NDArray[np.int64]
    class_names: tuple[str, ...]
    score_threshold: float


def evaluate(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    class_names: Sequence[str],
    score_threshold: float = 0.5,
) -> Evaluation:
    """Compares the detections of all images with their annotations.

    Args:
        detections: one per image, with all detections that the decoder keeps: average precision needs the low scores.
        annotations: one per image, in the same order.
        class_names: in label order.
        score_threshold: for precision, recall and the confusion matrix.

    Raises:
        ValueError: when the two sequences differ in length, or a label has no class name.
    """
    _check(detections, annotations, len(class_names))
    voc = voc_results(detections, annotations, len(class_names))
    coco = coco_results(detections, annotations, len(class_names))
    rows = tuple(
        _row(name, result, ap, score_threshold) for name, result, ap in zip(class_names, voc, coco.ap, strict=True)
    )
    total = _total(voc, coco, annotations, score_threshold)
    own = {
        "mAP50": total.ap50,
        "mAP50_07": mean([result.ap_07 for result in voc]),
        "precision": total.precision,
        "recall": total.recall,
    }
    metrics = {name: value for name, value in own.items() if value is not None}
    return Evaluation(
        metrics=metrics | coco.metrics,
        per_class=rows,
        total=total,
        curves=tuple(
            Curve(row.name, result.recall, result.precision, result.scores, row.ap50)
            for row, result in zip(rows, voc, strict=True)
            if row.ap50 is not None
        ),
        confusion=confusion(detections, annotations, len(class_names), score_threshold),
        class_names=tuple(class_names),
        score_threshold=score_threshold,
    )


def _row(name: str, result: ClassResult, ap: float | None, score_threshold: float) -> ClassRow:
    right, chosen = result.counts_at(score_threshold)
    return ClassRow(
        name, result.images, result.objects, _part(right, chosen), _part(right, result.objects), result.ap, ap
    )


def _total(
    voc: Sequence[ClassResult], coco: CocoResult, annotations: Sequence[Annotation], score_threshold: float
) -> ClassRow:
    objects = sum(result.objects for result in voc)
    images = sum(bool(np.any(~(annotation.difficult | annotation.crowd))) for annotation in annotations)
    counts = [result.counts_at(score_threshold) for result in voc]
    right, chosen = sum(count[0] for count in counts), sum(count[1] for count in counts)
    ap50 = mean([result.ap for result in voc])
    return ClassRow("all", images, objects, _part(right, chosen), _part(right, objects), ap50, coco.metrics.get("mAP"))


def _part(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _check(detections: Sequence[Detections], annotations: Sequence[Annotation], num_classes: int) -> None:
    if len(detections) != len(annotations):
        raise ValueError(f"{len(detections)} images have detections and {len(annotations)} have annotations.")
    for what, items in (("detected", detections), ("annotated", annotations)):
        labels = np.concatenate([np.zeros(0, np.int32), *(item.labels for item in items)])
        if np.any((labels < 0) | (labels >= num_classes)):
            raise ValueError(f"A {what} label is outside 0..{num_classes - 1}, which are the {num_classes} classes.")
