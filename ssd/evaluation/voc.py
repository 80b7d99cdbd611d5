"""Average precision as the Pascal VOC devkit defines it (`VOCevaldet.m` of VOCdevkit 2007 and 2010)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import MATCH_IOU, Overlaps, overlaps
from ssd.inference.detections import Detections

WRONG, IGNORED = -1, -2  # what `best_objects` says of a detection that belongs to no object


@dataclass(frozen=True, eq=False)
class ClassResult:
    """What was found of one class, at one IoU threshold.

    Attributes:
        objects: objects that had to be found (neither difficult nor a crowd).
        images: images with at least one of them.
        scores: (K,) float32, falling; detections that are right or wrong. Ignored ones are left out.
        right: (K,) bool.
    """

    objects: int
    images: int
    scores: NDArray[np.float32]
    right: NDArray[np.bool_]

    @property
    def recall(self) -> NDArray[np.float64]:
        """(K,) recall when the first 1, 2, ... detections count; zeros for a class without objects."""
        return np.cumsum(self.right) / max(self.objects, 1)

    @property
    def precision(self) -> NDArray[np.float64]:
        """(K,) precision when the first 1, 2, ... detections count."""
        return np.cumsum(self.right) / np.arange(1, len(self.right) + 1)

    @property
    def ap(self) -> float | None:
        """Area under the interpolated curve (VOC 2010 and later), None for a class without objects."""
        return area_ap(self.recall, self.precision) if self.objects else None

    @property
    def ap_07(self) -> float | None:
        """11-point AP (VOC 2007), None for a class without objects."""
        return eleven_point_ap(self.recall, self.precision) if self.objects else None

    def counts_at(self, score: float) -> tuple[int, int]:
        """(right, all) among the detections with at least this score."""
        chosen = self.scores >= score
        return int(self.right[chosen].sum()), int(chosen.sum())


def voc_results(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
) -> list[ClassResult]:
    """Decides for every detection whether it is right, wrong or ignored, as the devkit does.

    All detections of a class are taken by falling score over the whole set (equal scores: in the order given). Each
    belongs to the object of its class with the highest IoU in its image, if that is at least `MATCH_IOU`. When
    that object is difficult the detection is ignored, when an earlier detection has claimed it the detection is wrong,
    even if another object overlaps enough. Crowds, which VOC does not have, are treated as COCO treats them: a
    detection that belongs to no object but lies at least half in a crowd of its class is ignored.

    Args:
        detections: one per image, in any order of scores.
        annotations: one per image, in the same order.
        num_classes: labels run from 0 to num_classes - 1.

    Returns:
        One result per class, in label order.
    """
    belongs, first_object = [np.zeros(0, np.int64)], 0
    for found, annotation in zip(detections, annotations, strict=True):
        best = best_objects(found, annotation, overlaps(found.boxes, annotation))
        belongs.append(np.where(best >= 0, best + first_object, best))
        first_object += len(annotation.labels)
    belonging = np.concatenate(belongs)
    scores = np.concatenate([np.zeros(0, np.float32), *(found.scores for found in detections)])
    labels = np.concatenate([np.zeros(0, np.int32), *(found.labels for found in detections)])
    order = np.argsort(-scores, kind="stable")
    belonging, scores, labels = belonging[order], scores[order], labels[order]
    right = first_claims(belonging)
    objects, images = _count_objects(annotations, num_classes)
    results = []
    for label in range(num_classes):
        chosen = (labels == label) & (belonging != IGNORED)
        results.append(ClassResult(int(objects[label]), int(images[label]), scores[chosen], right[chosen]))
    return results


def mean(values: Sequence[float | None]) -> float | None:
    """The mean of what is defined, None when nothing is."""
    defined = [value for value in values if value is not None]
    return float(np.mean(defined)) if defined else None


def area_ap(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Area under the curve after each precision is raised to the best one at its recall or above (VOC 2010 devkit)."""
    recall = np.concatenate([[0.0], recall])
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall) * envelope))


def eleven_point_ap(recall: NDArray[np.float64], precision: NDArray[np.float64]) -> float:
    """Mean over recalls 0, 0.1, ..., 1 of the best precision at that recall or above (VOC 2007 devkit)."""
    points = np.arange(11) / 10  # correctly rounded tenths: a recall of 3/10 reaches 0.3, which 3 * 0.1 would miss
    return float(np.mean([np.max(precision[recall >= point], initial=0.0) for point in points]))


def best_objects(found: Detections, annotation: Annotation, both: Overlaps) -> NDArray[np.int64]:
    """(D,) index of the object in its image that each detection belongs to, or WRONG or IGNORED; see `voc_results`."""
    if not len(annotation.labels) or not len(found):
        return np.full(len(found), WRONG, np.int64)
    same_class = found.labels[:, None] == annotation.labels[None]
    iou = np.where(same_class & ~annotation.crowd, both.iou, 0.0)
    best = np.argmax(iou, axis=1)
    belongs = iou[np.arange(len(best)), best] >= MATCH_IOU
    in_crowd = np.any(same_class & annotation.crowd & (both.coverage >= MATCH_IOU), axis=1)
    of_object = np.where(annotation.difficult[best], IGNORED, best)
    return np.where(belongs, of_object, np.where(in_crowd, IGNORED, WRONG))


def first_claims(belonging: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(D,) whether a detection is the first, in this order, that belongs to its object."""
    positions = np.flatnonzero(belonging >= 0)
    first = np.unique(belonging[positions], return_index=True)[1]
    right = np.zeros(len(belonging), np.bool_)
    right[positions[first]] = True
    return right


def _count_objects(annotations: Sequence[Annotation], num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(C,) objects that had to be found, and (C,) images with at least one of them."""
    objects, images = np.zeros(num_classes, np.int64), np.zeros(num_classes, np.int64)
    for annotation in annotations:
        counts = np.bincount(annotation.labels[~(annotation.difficult | annotation.crowd)], minlength=num_classes)
        objects += counts
        images += counts > 0
    return objects, images
