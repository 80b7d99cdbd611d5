"""Which stored settings are given to Hydra again: a folder may be a stranger's, and Hydra calls what it is told."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra.core.override_parser.types import Override

from ssd.config.harmless import is_harmless
from ssd.config.overrides import key_of, without
from ssd.console import say
from ssd.errors import UserError
from ssd.sweep.launch.resume import StoredSweep

# Of a sweep's settings of Hydra those that neither call nor write: which of ours runs it, and how many jobs.
_OF_SWEEP = re.compile(
    r"hydra\.mode=MULTIRUN|hydra/(launcher|sweeper|sweeper/pruner)=\w+|"
    r"hydra\.(sweeper|launcher)\.(n_trials|n_jobs|study_name|threads|cpus|gpus|poll_seconds)=.*|"
    r"hydra\.sweeper\.(sampler|pruner)(\.\w+)?=.*"
)
_PART = re.compile(r"dataset@dataset\.parts\.\w+")  # of joined data sets
_RANGE = "hydra.sweeper.params."  # of a search; behind it is the key of a setting


def trusts(given: Mapping[str, Override]) -> bool:
    """Whether the user vouches for the folders that a command names (`trust=true`)."""
    return "trust" in given and given["trust"].value() is True


def replayed(lines: Sequence[str], folder: Path, trusted: bool) -> list[str]:
    """The settings of a run that can neither call, nor write, nor read what is not the run's; the others are said.

    Args:
        lines: overrides, as its folder has them.
        folder: of the run.
        trusted: whether the user has asked for all of them (`trust=true`).
    """
    left_out = [line for line in lines if not trusted and not _of_a_run(line)]
    if left_out:
        say(
            f"left out of what {os.path.relpath(folder)} was started with, as it could run or read anything: "
            f"{_shown(left_out)}; if you know where the folder comes from, trust=true takes it"
        )
    return [line for line in lines if line not in left_out]


def check_sweep(sweep: StoredSweep, config_dir: str | None) -> None:
    """Refuses to go on with a sweep whose command could call, write or read what is not the sweep's.

    Nothing is left out as of a run: its other jobs would not be comparable any more.

    Args:
        sweep: that nobody vouches for.
        config_dir: Hydra's flag, as the user gave it.

    Raises:
        UserError: naming what it is, and how to vouch for it.
    """
    given = f"sweep.resume={os.path.relpath(sweep.folder)}"
    if config_dir is None and sweep.config_dir is not None:
        raise UserError(
            f"{given} was started with --config-dir={sweep.config_dir}, which is code of its own; give that again"
        )
    refused = [line for line in without(sweep.overrides, ("hydra.sweep.dir",)) if not _of_a_sweep(line)]
    if sweep.config_name is not None and not re.fullmatch(r"[\w-]+", sweep.config_name):  # a path to anywhere
        refused.append(f"--config-name={sweep.config_name}")
    if refused:
        raise UserError(
            f"{given} was started with what could run, write or read anything: {_shown(refused)}; if you know where "
            "the folder comes from, add trust=true"
        )


def check_links(folder: Path, given: str) -> None:
    """Refuses to write in a folder that has links out of it.

    Args:
        folder: of a run or a sweep that nobody vouches for.
        given: how the user named it.

    Raises:
        UserError: naming the first of them.
    """
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise UserError(
                    f"{given}: {path.relative_to(folder)} is a link to {path.resolve()}, out of that folder; put what "
                    "it leads to in its place, or, if you know where the folder comes from, add trust=true"
                )


def _shown(lines: Sequence[str]) -> str:
    return ", ".join(line if len(line) <= 80 else f"{line[:80]}…" for line in lines)


def _of_a_run(line: str) -> bool:
    key = key_of(line)
    elsewhere = "@" in key and not _PART.fullmatch(key)
    return not (line.startswith("~") or elsewhere or re.match(r"hydra\b", key)) and is_harmless(line)


def _of_a_sweep(line: str) -> bool:
    if line.startswith(_RANGE):
        return _of_a_run(line.removeprefix(_RANGE))
    return _of_a_run(line) or (_OF_SWEEP.fullmatch(line) is not None and is_harmless(line))
