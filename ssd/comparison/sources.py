"""What `task=compare source=A+B` names: two runs, or two sets of runs of other seeds, `A1,A2+B1,B2`."""

from dataclasses import dataclass
from pathlib import Path

from ssd.config.listed import split_source
from ssd.errors import UserError
from ssd.runs.folder import OVERRIDES, is_run
from ssd.runs.reading import at
from ssd.runs.started import config_of
from ssd.sweep.report.jobs import job_folders

_TRAININGS = ("train", "reproduce")
JUDGING = (*_TRAININGS, "evaluate")  # tasks whose runs have a result


@dataclass(frozen=True)
class Pair:
    """The run folders of each side."""

    a: tuple[Path, ...]
    b: tuple[Path, ...]


def read_pair(source: str) -> Pair:
    """Looks at each part of `source`.

    Raises:
        UserError: it is not two sides of runs that have a result, or a run is named twice.
    """
    sides = split_source(source, "+")
    if len(sides) != 2:
        many = "one side" if len(sides) == 1 else f"{len(sides)} sides"
        raise UserError(
            f"source={source} names {many}, and two are compared: source=RUN_A+RUN_B, runs of other seeds with commas: "
            "A1,A2+B1,B2; more than two: task=report"
        )
    a, b = (tuple(judging_run(part, source) for part in split_source(side)) for side in sides)
    places = [folder.resolve() for folder in (*a, *b)]
    if twice := [folder for number, folder in enumerate(places) if folder in places[:number]]:
        raise UserError(f"source={source} names the run {twice[0]} twice; a run is no better than itself: give another")
    return Pair(a, b)


def training(source: str) -> Path:
    """The folder of a training, to repeat it.

    Raises:
        UserError: it is none, or is damaged.
    """
    folder = judging_run(source, source)
    if (task := at(config_of(folder), "task.name")) not in _TRAININGS:
        raise UserError(f"source={source} is a run of task={task}; only a training can be repeated")
    return folder


def judging_run(part: str, source: str) -> Path:
    """The folder of a training or an evaluation.

    Raises:
        UserError: `part` of `source` is none, or is damaged.
    """
    folder = Path(part)
    if not part or not folder.is_dir():
        raise UserError(f"source={source}: '{part}' is no folder; paths are relative to {Path.cwd()}")
    if not is_run(folder):
        if job_folders(folder):
            raise UserError(f"source={source}: {part} is the folder of a sweep; name the folder of a job in it")
        raise UserError(f"source={source}: {part} is not the folder of a run: it has no {OVERRIDES}")
    task = at(config_of(folder), "task.name")
    if task not in JUDGING:
        what = "has not begun" if task is None else f"is a run of task={task}, which judges no detector"
        raise UserError(f"source={source}: {part} {what}; name trainings or evaluations")
    return folder
