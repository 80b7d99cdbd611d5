"""How a run was started, from what its folder notes of it: the command, the options chosen, the whole configuration."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ssd.errors import UserError
from ssd.runs.folder import CONFIG, HYDRA, OVERRIDES, RUN_ID_FILE
from ssd.runs.reading import at, damaged, is_text, is_texts, read_text, read_yaml

log = logging.getLogger(__name__)

_SQLITE = "sqlite:///"
_RUN_ID = re.compile(r"[0-9a-f]{32}")  # MLflow's
_SECTIONS = ("task", "backbone", "detector", "dataset", "optimizer", "training", "tracking")
_REMEDY = "put the file back, or start a new run"
_CONFIG_REMEDY = "put the file back; or remove it, and it is made again from the run's command when that goes on"


@dataclass(frozen=True)
class Started:
    """What Hydra noted of a run.

    Attributes:
        file: that says all this.
        called_from: the folder that relative paths start from, where that was noted.
        choices: group → the option chosen.
        overrides: the command, where that was noted.
        job: its number in a sweep.
        config_name: of `--config-name`.
        config_dirs: of `--config-dir`.
    """

    file: Path
    called_from: Path | None
    choices: Mapping[str, str]
    overrides: tuple[str, ...] | None
    job: int
    config_name: str
    config_dirs: tuple[str, ...]

    def choice(self, group: str) -> str:
        """The option chosen of a group.

        Raises:
            UserError: it was not noted.
        """
        if group not in self.choices:
            raise damaged(self.file, f"it does not say which {group} was chosen", _REMEDY)
        return self.choices[group]


def started(folder: Path) -> Started:
    """From a run's `.hydra/hydra.yaml`.

    Raises:
        UserError: it is missing or damaged.
    """
    file = folder / HYDRA
    hydra = at(read_yaml(file, _REMEDY), "hydra")
    home, choices, overrides, job = (
        at(hydra, key) for key in ("runtime.cwd", "runtime.choices", "overrides.task", "job.num")
    )
    if not isinstance(hydra, dict):
        raise damaged(file, "it is not what Hydra notes of a run", _REMEDY)
    sources = at(hydra, "runtime.config_sources")
    paths = [at(source, "path") for source in sources if at(source, "provider") == "command-line"] if sources else []
    return Started(
        file=file,
        called_from=Path(home) if is_text(home) else None,
        choices={str(group): str(option) for group, option in choices.items()} if isinstance(choices, dict) else {},
        overrides=tuple(overrides) if is_texts(overrides) else None,
        job=job if isinstance(job, int) else 0,
        config_name=str(at(hydra, "job.config_name") or "config"),
        config_dirs=tuple(map(str, paths)),
    )


def overrides_of(folder: Path) -> list[str]:
    """The overrides that a run was started with; where their file is damaged, as Hydra noted them elsewhere.

    Raises:
        UserError: neither file can be read, naming the first.
    """
    file = folder / OVERRIDES
    try:
        lines = read_yaml(file, _REMEDY)
        if not is_texts(lines):
            raise damaged(file, "it is not a list of settings", _REMEDY)
        return lines
    except UserError as error:
        try:
            noted = started(folder).overrides
        except UserError:
            noted = None
        if noted is None:
            raise
        reason = str(error).removesuffix(f"; {_REMEDY}")
        _say_once(
            f"{reason.replace(str(file), os.path.relpath(file))}; the command is taken from {HYDRA.name} beside it"
        )
        return list(noted)


def called_from(folder: Path) -> Path:
    """The folder that a run was called from; the present one, which is said, where that is not known any more."""
    try:
        home, reason = started(folder).called_from, f"{folder / HYDRA} does not say where the run was called from"
    except UserError as error:
        home, reason = None, str(error).removesuffix(f"; {_REMEDY}")
    if home is None:
        _say_once(f"{reason}; relative paths of its command are taken from {Path.cwd()}")
    return home or Path.cwd()


def config_dir_of(folder: Path) -> str | None:
    """The `--config-dir` that a run was started with, if any that is known."""
    try:
        return next(iter(started(folder).config_dirs), None)
    except UserError:
        return None


def config_of(folder: Path) -> dict[str, Any] | None:
    """The whole configuration of a run, in which nothing is resolved any more; None where it has not begun.

    Raises:
        UserError: it is damaged.
    """
    file = folder / CONFIG
    if not os.path.lexists(file):
        return None
    values = read_yaml(file, _CONFIG_REMEDY)
    if not (isinstance(values, dict) and any(isinstance(section, dict) for section in values.values())):
        raise damaged(file, "it holds no configuration", _CONFIG_REMEDY)
    if "task" in values and "name" not in values:  # which comes behind the sections
        raise damaged(file, "it is cut short", _CONFIG_REMEDY)
    if wrong := [key for key in _SECTIONS if "task" in values and not isinstance(values.get(key), dict)]:
        raise damaged(file, f"its {wrong[0]} is no section", _CONFIG_REMEDY)
    return values


def fitted_priors_of(folder: Path) -> dict[str, Any]:
    """What a run has noted of priors that it fitted: `priors`, `scales` and `aspect_ratios`; nothing of other runs.

    Raises:
        UserError: its configuration is damaged.
    """
    detector = at(config_of(folder), "detector")
    if at(detector, "priors") != "fitted":
        return {}
    noted = {key: at(detector, key) for key in ("priors", "scales", "aspect_ratios")}
    if any(value is None for value in noted.values()):
        raise damaged(folder / CONFIG, "it does not say which priors were fitted", _CONFIG_REMEDY)
    return noted


def best_by_of(folder: Path, known: Sequence[str]) -> str | None:
    """The `training.best_by` of a run; None where it has not begun, or none.

    Raises:
        UserError: its configuration is damaged, or names none of the `known`.
    """
    value = at(config_of(folder), "training.best_by")
    if value is not None and value not in known:
        raise damaged(folder / CONFIG, f"its training.best_by is {value!r}", _CONFIG_REMEDY)
    return value


def recorded_run(folder: Path) -> str | None:
    """The id of a run, or of a sweep, in MLflow; None where it was not recorded, or, which is said, is not known."""
    file = folder / RUN_ID_FILE
    if not os.path.lexists(file):
        return None
    try:
        text = read_text(file, "").strip()
    except UserError as error:
        text, reason = "", str(error).removesuffix("; ")
    else:
        reason = f"{file} holds no id of a run in MLflow"
    if _RUN_ID.fullmatch(text):
        return text
    log.warning("%s; so that run is not found there", reason)
    return None


def own_store(folder: Path) -> str | None:
    """The `tracking.uri` that a run was recorded in; None where it has none, or, which is said, its file is gone.

    Raises:
        UserError: its configuration is damaged.
    """
    uri = at(config_of(folder), "tracking.uri")
    if uri is None or not str(uri).startswith(_SQLITE):
        return None if uri is None else str(uri)
    file = Path(str(uri).removeprefix(_SQLITE).partition("?")[0])
    if file.is_absolute() and not file.exists():
        _say_once(f"{file}, where the run was recorded, is gone; it goes on in the store of this command")
        return None
    return str(uri)


@cache
def _say_once(line: str) -> None:
    """A command reads the same file for several reasons."""
    from ssd.console import say  # here, as it loads rich, and Hydra loads this module at every start

    say(line)
