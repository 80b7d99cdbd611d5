"""What happened in a training so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ssd.runs.best_by import BEST_BY, metric_of


@dataclass
class History:
    """What happened so far, also before a resume: minutes of training, the best validation and how long ago it was.

    Its rows are those of results.csv, digits included, so that a resumed run compares what an undisturbed one does.

    Attributes:
        best_by: the column that the best validation has most of.
        rows: of all epochs that are known.
    """

    best_by: str
    rows: list[dict[str, float]] = field(default_factory=list)
    minutes: float = 0.0
    best: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    validations_since_best: int = 0

    def add(self, row: Mapping[str, float]) -> bool:
        """Takes an epoch's row in; True where it is the best validation so far."""
        self.note(row)
        self.last, self.minutes = dict(row), row.get("minutes", self.minutes)
        if self.best_by not in row:
            return False
        if not self.best or row[self.best_by] > self.best[self.best_by]:
            self.best, self.validations_since_best = dict(row), 0
            return True
        self.validations_since_best += 1
        return False

    def note(self, row: Mapping[str, float]) -> None:
        """Keeps an epoch's row, in the place of one of the same epoch."""
        self.rows = [*(other for other in self.rows if other["epoch"] != row["epoch"]), dict(row)]

    def correct_best(self, row: Mapping[str, float], unsure: Sequence[int]) -> None:
        """Takes in what the best checkpoint was found to be.

        Args:
            row: of it, as if it were of the last of the epochs that are not known exactly.
            unsure: these epochs.
        """
        if self.best and self.best["epoch"] in unsure:
            self.best |= {**row, "epoch": self.best["epoch"]}
        elif not self.best or row[self.best_by] > self.best[self.best_by]:
            self.best, self.validations_since_best = dict(row), 0

    def tracked(self, row: Mapping[str, float]) -> dict[str, float]:
        """What is tracked of the row taken in last, which may hold more than results.csv."""
        metrics = {name: value for name, value in row.items() if name not in ("epoch", "step")}
        return metrics | {f"best/{metric_of(name)}": self.best[name] for name in BEST_BY if name in self.best}
