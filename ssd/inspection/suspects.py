"""Objects that a detector finds otherwise: suspected errors of the labels, the surest first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation, Dataset
from ssd.evaluation.overlaps import MATCH_IOU, overlaps
from ssd.inference.detections import Detections
from ssd.inspection.finding import Finding, Shown

_SURE = 0.5  # least score of a detection that speaks against a label
_NOTHING = 0.1  # largest IoU with any object of a detection in an empty place
_NEAR = 0.3  # least IoU of a detection that has seen an object at all


def suspects(dataset: Dataset, detections: Sequence[Detections], most: int) -> list[Finding]:
    """What a detector and the labels disagree on, the surest first.

    An object that no detection is near counts by how rarely that happens in its class: of a class that the detector
    knows badly a missed object says nothing.

    Args:
        dataset: with the detector's classes.
        detections: of each of its images, those with low scores among them.
        most: how many are kept.
    """
    seen = np.concatenate([np.zeros(0), *(_seen(*pair) for pair in zip(detections, dataset.annotations, strict=True))])
    labels = np.concatenate([np.zeros(0, np.int64), *(item.labels for item in dataset.annotations)])
    usual = [float((seen[labels == label] >= _SURE).mean()) if (labels == label).any() else 0.0
             for label in range(len(dataset.class_names))]  # fmt: skip
    findings = [
        finding
        for i, found in enumerate(detections)
        for finding in [*_of_detections(dataset, i, found), *_of_objects(dataset, i, found, usual)]
    ]
    return sorted(findings, key=lambda finding: -finding.sureness)[:most]


def _seen(found: Detections, annotation: Annotation) -> NDArray[np.float64]:
    """(N,) the best score of a detection of each object's class near it, 0 without any."""
    iou = overlaps(found.boxes, annotation).iou
    near = (iou >= _NEAR) & (found.labels[:, None] == annotation.labels[None])
    return np.where(near, found.scores[:, None], 0.0).max(axis=0, initial=0.0)


def _of_detections(dataset: Dataset, image: int, found: Detections) -> list[Finding]:
    annotation, names = dataset.annotations[image], dataset.class_names
    iou, seen = overlaps(found.boxes, annotation).iou, _seen(found, annotation)
    findings = []
    for row in np.flatnonzero(found.scores >= _SURE).tolist():
        score, name = float(found.scores[row]), names[found.labels[row]]
        best = int(iou[row].argmax()) if iou.shape[1] else -1
        overlap = float(iou[row, best]) if best >= 0 else 0.0
        if overlap <= _NOTHING and not _in_crowd(found.boxes[row : row + 1], annotation):
            text, kind, sure = (
                f"a {name} is detected (score {score:.2f}) where none is annotated.",
                "suspect-missing",
                score,
            )
            findings.append(_finding(kind, dataset, image, None, text, sure, found[row : row + 1]))
        elif best < 0 or annotation.crowd[best] or annotation.difficult[best]:
            continue
        elif overlap >= MATCH_IOU and found.labels[row] != annotation.labels[best] and seen[best] < score:
            text = f"looks like a {name} (score {score:.2f}; its own class has {seen[best]:.2f})."
            sure = score - float(seen[best])
            findings.append(_finding("suspect-class", dataset, image, best, text, sure, found[row : row + 1]))
        elif _NOTHING < overlap < MATCH_IOU and found.labels[row] == annotation.labels[best] and not _fits(iou, best):
            text = f"has another box (score {score:.2f}, IoU {overlap:.2f})."
            sure = score * (1 - overlap)
            findings.append(_finding("suspect-box", dataset, image, best, text, sure, found[row : row + 1]))
    return findings


def _fits(iou: NDArray[np.float64], row: int) -> bool:
    """Whether any detection has an object's box."""
    return bool((iou[:, row] >= MATCH_IOU).any())


def _in_crowd(box: NDArray[np.float32], annotation: Annotation) -> bool:
    return bool((overlaps(box, annotation).coverage[0][annotation.crowd] >= MATCH_IOU).any())


def _of_objects(dataset: Dataset, image: int, found: Detections, usual: Sequence[float]) -> list[Finding]:
    annotation = dataset.annotations[image]
    iou, findings = overlaps(found.boxes, annotation).iou, []
    for row in np.flatnonzero(~(annotation.difficult | annotation.crowd)).tolist():
        near = found.scores[iou[:, row] >= _NEAR]
        best = float(near.max(initial=0.0))
        if best < 1 - _SURE:
            share = usual[annotation.labels[row]]
            text = f"is not seen (best score {best:.2f}), and {share:.0%} of its class are."
            findings.append(_finding("suspect-object", dataset, image, row, text, share * (1 - best), None))
    return findings


def _finding(
    kind: str, dataset: Dataset, image: int, row: int | None, text: str, sure: float, found: Detections | None
) -> Finding:
    where, annotation = dataset.where(image), dataset.annotations[image]
    shown = Shown(dataset.name, image, () if row is None else (row,), found)
    whom = f"In {annotation.id}" if row is None else f"Object {row + 1} ({dataset.class_names[annotation.labels[row]]})"
    return Finding(kind, f"{whom} {text}", where, None if row is None else row + 1, (shown,), sure)
