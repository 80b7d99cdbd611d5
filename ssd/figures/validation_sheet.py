"""The worst and the typical images of a validation, drawn every time."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.evaluation.outcome import Outcome, judge
from ssd.figures.outcome_sheet import outcome_cell, save_outcomes
from ssd.figures.sheets import Cell, Section
from ssd.inference.detections import Detections
from ssd.runs.folder import PLOTS


@dataclass(frozen=True)
class ValidationSheet:
    """What is right, missed and false in some images of a data set.

    Attributes:
        folder: the run folder.
        dataset: whose images are drawn.
        count: how many: half of them the worst, half around the median.
        score_threshold: of the detections that count.
    """

    folder: Path
    dataset: Dataset
    count: int
    score_threshold: float

    def draw(self, detections: Sequence[Detections]) -> Path:
        """Writes plots/predictions.png from the detections of the first `len(detections)` images."""
        path = self.folder / PLOTS / "predictions.png"
        path.parent.mkdir(exist_ok=True)
        outcomes = [
            judge(found, annotation, self.score_threshold)
            for found, annotation in zip(detections, self.dataset.annotations, strict=False)
        ]
        errors = [outcome.errors for outcome in outcomes]
        worst, typical = worst_and_typical(errors, self.count)
        median = np.median(errors) if errors else 0
        sections = {
            "Worst: the most errors": worst,
            f"Typical: around the median number of errors, {median:g}": typical,
        }
        save_outcomes(
            [Section(heading, [self._cell(row, outcomes[row]) for row in rows]) for heading, rows in sections.items()],
            self.score_threshold,
            path,
        )
        return path

    def closeup(self, detections: Sequence[Detections]) -> NDArray[np.uint8]:
        """One image, (H, W, 3) uint8 RGB, for where a sheet is too small to see a box.

        It is the first with an object from the middle of the data set on, hence the same in all runs on it.
        """
        middle = len(detections) // 2
        rows = [*range(middle, len(detections)), *range(middle)]
        row = next((row for row in rows if len(self.dataset.annotations[row].labels)), middle)
        outcome = judge(detections[row], self.dataset.annotations[row], self.score_threshold)
        return np.asarray(self._cell(row, outcome).picture)

    def _cell(self, row: int, outcome: Outcome) -> Cell:
        return outcome_cell(self.dataset[row].image, outcome, self.dataset.class_names)


def worst_and_typical(errors: Sequence[int], count: int) -> tuple[list[int], list[int]]:
    """Which images to show: the half of `count` with most errors, and as many around the median, where there are.

    Each part goes from many errors to few; images with equally many keep their order. No image is in both.
    """
    order = np.argsort(-np.asarray(errors, np.int64), kind="stable").tolist()
    count = min(count, len(order))
    worst, typical = (count + 1) // 2, count // 2
    first = max(worst, (len(order) - typical) // 2)
    return order[:worst], order[first : first + typical]
