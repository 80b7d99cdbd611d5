"""Truth beside prediction, drawn at every validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.data.sample import Dataset
from ssd.figures.sheets import truth_and_prediction
from ssd.inference.detections import Detections
from ssd.runs.folder import PLOTS


@dataclass(frozen=True)
class ValidationSheet:
    """Truth beside prediction, for the same images whenever it is drawn.

    Attributes:
        folder: the run folder.
        dataset: whose images are drawn.
        count: how many, spread evenly over the data set.
        score_threshold: of the boxes drawn.
    """

    folder: Path
    dataset: Dataset
    count: int
    score_threshold: float

    def draw(self, detections: Sequence[Detections]) -> Path:
        """Writes plots/predictions.png from the detections of the first `len(detections)` images."""
        path = self.folder / PLOTS / "predictions.png"
        path.parent.mkdir(exist_ok=True)
        rows = np.unique(np.linspace(0, len(detections) - 1, self.count).round().astype(int))
        truth_and_prediction(
            [self.dataset[row].image for row in rows],
            [self.dataset.annotations[row] for row in rows],
            [detections[row] for row in rows],
            self.dataset.class_names,
            path,
            self.score_threshold,
        )
        return path
