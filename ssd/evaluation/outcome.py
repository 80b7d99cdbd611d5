"""What became of each detection and of each object of one image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import MATCH_IOU, overlaps
from ssd.inference.detections import Detections

_NOTHING, _IGNORED = -1, -2  # what `claims` says of a detection that has no object


@dataclass(frozen=True, eq=False)
class Outcome:
    """The detections and objects of one image, and which belong together.

    Every detection is right, confused, false or ignored; every object that has to be found is claimed or missed.

    Attributes:
        detections: D, those with at least the score threshold.
        annotation: N objects.
        claims: (D,) int64, the object that each detection claims, or a negative number.
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
        return self.claims == _NOTHING

    @property
    def ignored(self) -> NDArray[np.bool_]:
        """(D,) detections of difficult objects or in crowds: neither right nor wrong."""
        return self.claims == _IGNORED

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

    The detections with at least `score_threshold` are taken by falling score, and each claims the free object of
    highest IoU, of any class, if that is at least `MATCH_IOU`. Difficult objects and crowds stay free: a detection that
    falls on one, or lies at least half in a crowd, is ignored. Average precision looks at each class alone instead
    (`voc_results`): it calls the second of two detections of an object right where only the first has a wrong class.
    """
    chosen = found.above(score_threshold)
    both = overlaps(chosen.boxes, annotation)
    iou = np.where(annotation.crowd, 0.0, both.iou)
    in_crowd = np.any(annotation.crowd & (both.coverage >= MATCH_IOU), axis=1)
    touching = np.any(iou >= MATCH_IOU, axis=1)
    claims = np.where(in_crowd, _IGNORED, _NOTHING)
    for row in np.argsort(-chosen.scores, kind="stable"):
        if not touching[row]:
            continue
        best = int(np.argmax(iou[row]))
        if iou[row, best] < MATCH_IOU:
            continue  # all that it touched has been claimed since
        if annotation.difficult[best]:
            claims[row] = _IGNORED
        else:
            claims[row] = best
            iou[:, best] = 0.0
    return Outcome(chosen, annotation, claims)
