"""A run folder that a training goes on in: what must be there, what may change, and what is noted of the change."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ssd.console import say
from ssd.errors import UserError
from ssd.runs.files import write_text
from ssd.runs.flat import flatten
from ssd.runs.folder import (
    ANNOTATIONS,
    BEST,
    CODE_DIFF,
    CONFIG,
    HISTORY,
    HYDRA,
    LAST,
    LOG,
    METRICS,
    OVERRIDES,
    PLOTS,
    RECORD,
    REPORT,
    REPORT_PAGE,
    RESULTS,
    RUN_ID_FILE,
    SPLIT,
    VALIDATION,
    as_typed,
)
from ssd.runs.reading import read_yaml
from ssd.runs.results import readable_results
from ssd.runs.started import called_from, config_of

# What a continued training may change and stays the same experiment; of these sections and keys all.
_FREE = ("task", "tracking", "pipeline", "sweep", "name", "gpu_memory_growth", "score_threshold", "runtime")
_FREE_KEYS = (
    "training.epochs",
    "training.minutes",
    "training.patience",
    "training.evaluate_every",
    "training.checkpoint_minutes",
    "training.diagnostics",
    "training.devices",
)
# What a run writes.
_FILES = (
    *(OVERRIDES, HYDRA, CONFIG, BEST, LAST, HISTORY, LOG, RESULTS, METRICS, REPORT, REPORT_PAGE, RUN_ID_FILE, SPLIT),
    *(RECORD, CODE_DIFF, ANNOTATIONS, VALIDATION),
)
_FOLDERS = (OVERRIDES.parent, LAST.parent, PLOTS)
# Of these keys nothing is left when the command is over.
_OF_ONE_COMMAND = (
    "resume",
    "resume_from",
    "checkpoint",
    "weights",
    "source",
    "experiment",
    "sweeps",
    "debug",
    "allow_changes",
    "trust",
)


def check_can_go_on(folder: Path, given: str, from_best: bool = False) -> None:
    """Refuses a folder that has results but nothing to go on from: to begin anew would write over them.

    And one in which something else is in the place of what the run writes.

    Args:
        folder: of the run.
        given: how the user named it.
        from_best: whether it is to go on from its best checkpoint.

    Raises:
        UserError: saying what is missing, and what can be done.
    """
    for name in (*_FILES, *_FOLDERS):
        place = folder / name
        if place.exists() and place.is_file() != (name in _FILES):
            here, belongs = ("a folder", "a file") if name in _FILES else ("a file", "a folder")
            raise UserError(f"resume={given}: {name} in it is {here}, where {belongs} of the run belongs; move it away")
    if from_best and not (folder / BEST).is_file():
        raise UserError(f"resume={given} has no {BEST} to go on from; leave from=best out")
    rows, problem = readable_results(folder / RESULTS)
    if not problem and [row["epoch"] for row in rows] == [1] and not any(name.startswith("val/") for name in rows[0]):
        rows = []  # it was killed while it wrote its first checkpoint
    if from_best or (folder / LAST).is_file() or not (rows or problem or (folder / BEST).is_file()):
        return
    ways = f", go on from the best one (from=best), or start a new training from that (checkpoint={given})"
    best = ways if (folder / BEST).is_file() else ""
    raise UserError(
        f"resume={given} has results, but no {LAST} to go on from, and to begin anew would write over them; put that "
        f"file back{best}"
    )


def check_same_experiment(folder: Path, given: str, now: Mapping[str, Any]) -> None:
    """Refuses settings that make another experiment of a run.

    Args:
        folder: of the run.
        given: how the user named it.
        now: the whole configuration, resolved.

    Raises:
        UserError: listing what differs.
    """
    if now["allow_changes"]:
        return
    if (config := config_of(folder)) is None:
        if (folder / LAST).is_file():
            say(f"{given} has no {CONFIG} to compare with; it is made again from the command")
        return
    had, has = flatten(config), flatten(now)
    differing = [key for key in had if key in has and not _is_free(key) and had[key] != has[key]]
    if differing:  # perhaps only as a path has become absolute since
        home = called_from(folder)
        differing = [key for key in differing if not _is_same(had[key], has[key], home)]
    if differing:
        listed = ", ".join(f"{key} {had[key]} → {has[key]}" for key in differing)
        raise UserError(
            f"resume={given} would go on as another experiment ({listed}); leave that out, start a new training with "
            f"checkpoint={given}, or ask for it with allow_changes=true"
        )


def note_command(cfg: DictConfig, folder: Path) -> None:
    """Notes with what a training goes on, once it does; what was noted before is kept as `.hydra.1`, `.hydra.2`, …"""
    hydra = HydraConfig.get()
    lines = [line for line in as_typed(hydra.overrides.task) if not line.startswith("resume=")]
    kept = folder / OVERRIDES.parent
    if hydra.output_subdir is None and _noted(folder) != lines:
        number = 1 + sum(1 for _ in folder.glob(f"{kept.name}.*"))
        shutil.copytree(kept, folder / f"{kept.name}.{number}")
        write_text(folder / HYDRA, OmegaConf.to_yaml(OmegaConf.create({"hydra": hydra})))
        write_text(folder / OVERRIDES, OmegaConf.to_yaml(OmegaConf.create(lines)))
    write_text(folder / CONFIG, OmegaConf.to_yaml(cfg))


def _noted(folder: Path) -> Any:
    """The command as it was noted; None where that, or what else Hydra notes, is damaged and is to be noted anew."""
    try:
        read_yaml(folder / HYDRA, "")
        return read_yaml(folder / OVERRIDES, "")
    except UserError:
        return None


def _is_free(key: str) -> bool:
    return key in (*_FREE_KEYS, *_OF_ONE_COMMAND) or key.split(".")[0] in _FREE


def _is_same(had: str, has: str, home: Path) -> bool:
    """Whether two values are one path, which may have become absolute since."""
    return Path(has).is_absolute() and (home / had).resolve() == Path(has).resolve()
