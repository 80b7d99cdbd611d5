"""Which class is taken for which."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.outcome import judge
from ssd.inference.detections import Detections


def confusion(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    score_threshold: float,
) -> NDArray[np.int64]:
    """Counts how objects (rows) were detected (columns); the last row and column stand for background.

    Which detection belongs to which object is decided by `judge`. An object that is missed counts in the background
    column, a false detection in the background row; what is ignored counts nowhere.

    Returns:
        (num_classes + 1, num_classes + 1) counts; row c sums to the objects of class c that had to be found.
    """
    counts = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for found, annotation in zip(detections, annotations, strict=True):
        outcome = judge(found, annotation, score_threshold)
        claimed, labels = outcome.claims >= 0, outcome.detections.labels
        np.add.at(counts, (annotation.labels[outcome.claims[claimed]], labels[claimed]), 1)
        counts[num_classes] += np.bincount(labels[outcome.false], minlength=num_classes + 1)
        counts[:, num_classes] += np.bincount(annotation.labels[outcome.missed], minlength=num_classes + 1)
    return counts
