"""The one result type, from decoding to metrics, charts and files."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections in one image, highest score first.

    Attributes:
        boxes: (N, 4) float32, normalised ymin, xmin, ymax, xmax; may reach past the image by rounding only.
        labels: (N,) int32, index into the class names (background is not a class here).
        scores: (N,) float32 in [0, 1].

    Raises:
        ValueError: where the shapes do not fit each other.
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        shapes = self.boxes.shape, self.labels.shape, self.scores.shape
        count = len(self.scores)
        if shapes != ((count, 4), (count,), (count,)):
            raise ValueError(f"boxes, labels and scores must be (N, 4), (N,) and (N,), not {shapes}")

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, rows: Any) -> Self:
        """Some of them: `rows` is a slice, a mask or an array of indices."""
        return replace(self, boxes=self.boxes[rows], labels=self.labels[rows], scores=self.scores[rows])

    def above(self, score: float) -> Self:
        """Only the detections with at least this score."""
        return self[self.scores >= score]
