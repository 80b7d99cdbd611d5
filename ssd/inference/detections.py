"""The one result type, from decoding to metrics, plots and files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Detections:
    """Detections in one image, highest score first.

    Attributes:
        boxes: (N, 4) float32, normalised ymin, xmin, ymax, xmax; may reach past the image by rounding only.
        labels: (N,) int32, index into the class names (background is not a class here).
        scores: (N,) float32 in [0, 1].
    """

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, score: float) -> "Detections":
        """Only the detections with at least this score."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.labels[keep], self.scores[keep])
