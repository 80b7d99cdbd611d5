"""How large objects are in their images."""

import numpy as np

from ssd.data.sample import Dataset


def share_smaller(dataset: Dataset, side: float) -> float:
    """The share of objects with a smaller side than that, the mean over the classes; crowds are left out.

    Args:
        dataset: with boxes as fractions of their images.
        side: as a fraction, too; an object's is the root of its area.
    """
    columns = dataset.columns
    boxes, labels = columns.boxes[~columns.crowd], columns.labels[~columns.crowd]
    if not len(labels):
        return 0.0
    small = np.sqrt((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])) < side
    return float(np.mean([small[labels == label].mean() for label in np.unique(labels)]))
