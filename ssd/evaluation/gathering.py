"""The detections of a split of which each process has seen a part."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections

Gather = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # the rows of all processes, for (N, K) of this one


def only_these(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of a process that is alone."""
    return rows


def gathered_detections(own: Mapping[int, Detections], images: int, gather: Gather) -> list[Detections]:
    """The detections of all images, in the order of the data set.

    Args:
        own: by the image's row in the data set, what this process has found.
        images: of all processes; below 2**24, so that float32 tells them apart.
        gather: called once.
    """
    parts = [
        np.column_stack([np.full(len(found), image), found.labels, found.scores, found.boxes])
        for image, found in own.items()
    ]
    rows = gather(np.concatenate([np.zeros((0, 7)), *parts]).astype(np.float32))
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    ends = np.searchsorted(rows[:, 0], np.arange(1, images))
    return [Detections(part[:, 3:], part[:, 1].astype(np.int32), part[:, 2]) for part in np.split(rows, ends)]
