"""What became of each detection and of each object of one image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import MATCH_IOU, Overlaps, overlaps
from ssd.evaluation.voc import IGNORED, WRONG, best_objects, first_claims
from ssd.inference.detections import Detections


@dataclass(frozen=True, eq=False)
class Outcome:
    """The detections and objects of one image, and which belong together.

    Every detection is right, confused, false or ignored; every object that has to be found is claimed or missed.

    Attributes:
        detections: D, those with at least the score threshold.
        annotation: N objects.
        claims: (D,) int64, the object that each detection claims, or WRONG or IGNORED.
    """

    detections: Detections
    annotation: Annotation
    claims: NDArray[np.int64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """(D,) detections of an object as what it is."""
        return (self.claims >= 0) & ~self.confused

    @property
    def confused(self) -> NDArray[np.bool_]:
        """(D,) detections of an object as one of another class."""
        confused = self.claims >= 0
        confused[confused] = self.detections.labels[confused] != self.annotation.labels[self.claims[confused]]
        return confused

    @property
    def false(self) -> NDArray[np.bool_]:
        """(D,) detections of nothing, or of what another one has claimed."""
        return self.claims == WRONG

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """(D,) detections of difficult objects or in crowds: neither right nor wrong."""
        return self.claims == IGNORED

    @property
    def required(self) -> NDArray[np.bool_]:
        """(N,) objects that have to be found: neither difficult nor crowds."""
        return ~(self.annotation.difficult | self.annotation.crowd)

    @property
    def missed(self) -> NDArray[np.bool_]:
        """(N,) objects that had to be found and that no detection claims."""
        missed = self.required
        missed[self.claims[self.claims >= 0]] = False
        return missed

    @property
    def errors(self) -> int:
        """How many are missed, false or confused."""
        return int(self.missed.sum() + self.false.sum() + self.confused.sum())


def judge(found: Detections, annotation: Annotation, score_threshold: float) -> Outcome:
    """Decides which object each detection of an image belongs to.

    Of the detections with at least `score_threshold`, right is what `voc_results` calls right: so the recall in the
    tables is that of the pictures and of the confusion matrix. The others, by falling score, each claim the free object
    of another class with the highest IoU, if that is at least `MATCH_IOU`. Difficult objects and crowds stay free: a
    detection that falls on one, or lies at least half in a crowd, is ignored.
    """
    chosen = found.above(score_threshold)
    both = overlaps(chosen.boxes, annotation)
    order = np.argsort(-chosen.scores, kind="stable")
    claims = best_objects(chosen, annotation, both)
    late = np.zeros(len(claims), np.bool_)
    late[order] = ~first_claims(claims[order])
    claims[late & (claims >= 0)] = WRONG
    if len(annotation.labels):
        other_class = chosen.labels[:, None] != annotation.labels
        _claim_other_classes(claims, order[claims[order] == WRONG], other_class, annotation, both)
    return Outcome(chosen, annotation, claims)


def _claim_other_classes(
    claims: NDArray[np.int64],
    rows: NDArray[np.int64],
    other_class: NDArray[np.bool_],
    annotation: Annotation,
    both: Overlaps,
) -> None:
    """Writes into `claims`, (D,), what the detections `rows` claim of what is left, one after the other; N is not 0."""
    iou = np.where(other_class & ~annotation.crowd, both.iou, 0.0)
    iou[:, claims[claims >= 0]] = 0.0
    in_crowd = np.any(annotation.crowd & (both.coverage >= MATCH_IOU), axis=1)
    claims[rows] = np.where(in_crowd[rows], IGNORED, WRONG)
    for row in rows[iou[rows].max(axis=1) >= MATCH_IOU]:
        best = int(np.argmax(iou[row]))
        if iou[row, best] < MATCH_IOU:
            continue  # what it overlapped has been claimed
        if annotation.difficult[best]:
            claims[row] = IGNORED
        else:
            claims[row] = best
            iou[:, best] = 0.0
