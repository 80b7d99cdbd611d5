"""`training.best_by`: the column of results.csv that says which validation is the best.

It chooses a training's best checkpoint, ends the training where it stays behind, is what a search looks for, and ranks
the jobs of a sweep.
"""

from pathlib import Path

from omegaconf import OmegaConf

from ssd.runs.folder import CONFIG

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
    """The `training.best_by` that the run in a folder has; None where it has not begun."""
    return (_stored(folder) or EARLIER) if (folder / CONFIG).is_file() else None


def is_older(folder: Path) -> bool:
    """Whether the run in a folder was begun when there was no `training.best_by`."""
    return (folder / CONFIG).is_file() and _stored(folder) is None


def _stored(folder: Path) -> str | None:
    return OmegaConf.select(OmegaConf.load(folder / CONFIG), "training.best_by")
