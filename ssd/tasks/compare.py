"""Two runs, or two sets of them, compared: what differs between them, and whether one is better by more than chance."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from ssd.comparison.data import split_change
from ssd.comparison.report import COMPARISON, PICTURE, Comparison, note, write_comparison
from ssd.comparison.results import Results, results
from ssd.comparison.settings import Row, differing, that_matter
from ssd.comparison.sources import Pair, read_pair
from ssd.comparison.surroundings import surroundings
from ssd.comparison.terminal import print_comparison
from ssd.console import waiting
from ssd.environment import ROOT
from ssd.errors import FaultyDataError, UserError
from ssd.experiment.material import Material, material
from ssd.runs.flat import flatten
from ssd.runs.folder import CODE_DIFF, REPORT, REPORT_PAGE
from ssd.runs.started import config_of
from ssd.tracking.address import say_where_runs_are
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Leaves report.html and comparison.json in `folder`, and gives what B has over A in mAP.

    Raises:
        UserError: a run is damaged, or has no result.
        FaultyDataError: the results cannot be compared; all else is.
    """
    pair = read_pair(cfg.source)
    sides = [[material(run, cfg.trust) for run in side] for side in (pair.a, pair.b)]
    with waiting("comparing"):
        comparison = _compared(pair, sides, cfg.task.draws)
        write_comparison(comparison, folder)
    print_comparison(comparison)
    print(f"Report: {os.path.relpath(folder / REPORT)}")
    print(f"The same in one file: {os.path.relpath(folder / REPORT_PAGE)}")
    if cfg.tracking.enabled:
        _track(cfg, folder, comparison)
    if comparison.results is None:
        raise FaultyDataError(f"the results cannot be compared: {comparison.incomparable}")
    return next((item.b - item.a for item in comparison.results.metrics), 0.0)


def _compared(pair: Pair, sides: Sequence[Sequence[Material]], draws: int) -> Comparison:
    first, other = sides[0][0], sides[1][0]  # the data of each side's others is as theirs, or tells on validations
    found, incomparable = _results(sides, draws)
    weights = {one.judged.weights for side in sides for one in side}
    return Comparison(
        a=pair.a,
        b=pair.b,
        settings=_settings(pair),
        around=surroundings(pair.a, pair.b, ROOT),
        data=tuple(
            split_change(split, first.data[split], other.data[split]) for split in first.data if split in other.data
        ),
        notes=tuple(one.note for side in sides for one in side if one.note),
        same_weights=None if "" in weights else len(weights) == 1,
        results=found,
        incomparable=incomparable,
    )


def _results(sides: Sequence[Sequence[Material]], draws: int) -> tuple[Results | None, str]:
    try:
        a, b = ([one.judged for one in side] for side in sides)
        return results(a, b, draws), ""
    except UserError as error:
        return None, str(error)


def _settings(pair: Pair) -> tuple[Row, ...]:
    sides = [[that_matter(flatten(config_of(run) or {})) for run in side] for side in (pair.a, pair.b)]
    return tuple(differing("setting", *sides))


def _track(cfg: DictConfig, folder: Path, comparison: Comparison) -> None:
    names = [" ".join(run.resolve().name for run in side) for side in (comparison.a, comparison.b)]
    tags = {"task": "compare", "a": names[0], "b": names[1], "mlflow.note.content": note(comparison)}
    with Tracker(cfg.tracking.uri, cfg.tracking.experiment, f"compare {folder.name}", folder, tags=tags) as tracker:
        if (found := comparison.results) is not None:
            known = {item.name: item.difference for item in found.metrics if item.difference is not None}
            tracker.log_metrics({f"compare/{name}": one.value for name, one in known.items()}, 0)
            tracker.log_metrics({f"compare/p_{name}": one.p for name, one in known.items()}, 0)
        for file in (REPORT_PAGE, COMPARISON, CODE_DIFF, PICTURE):
            if (folder / file).exists():
                tracker.log_artifact(folder / file)
        say_where_runs_are(tracker)
