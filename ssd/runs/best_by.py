"""`training.best_by`: the column of results.csv that says which validation is the best.

It chooses a training's best checkpoint, ends the training where it stays behind, is what a search looks for, and ranks
the jobs of a sweep.
"""

from pathlib import Path

from ssd.errors import UserError
from ssd.runs.started import best_by_of, config_of

BEST_BY = ("val/mAP", "val/mAP50", "val/mAP50_07")  # the validated columns of which more is better
DEFAULT = "val/mAP"
EARLIER = "val/mAP50"  # what runs have that are older than the key


def metric_of(best_by: str) -> str:
    """The metric's name, which is also that of the best checkpoint's value: val/mAP → mAP."""
    return best_by.removeprefix("val/")


def main_metrics(best_by: str) -> tuple[str, ...]:
    """The metrics that every table shows, that of `best_by` first."""
    return tuple(dict.fromkeys((metric_of(best_by), "mAP50", "mAP")))


def recorded_best_by(folder: Path) -> str | None:
    """The `training.best_by` that the run in a folder has; None where it has not begun.

    Raises:
        UserError: its configuration is damaged.
    """
    recorded = best_by_of(folder, BEST_BY)
    return recorded or (None if config_of(folder) is None else EARLIER)


def is_older(folder: Path) -> bool:
    """Whether the run in a folder is known to have begun when there was no `training.best_by`."""
    try:
        return config_of(folder) is not None and best_by_of(folder, BEST_BY) is None
    except UserError:
        return False
