"""What an earlier run was started with, so that resuming, evaluating and predicting need not repeat it."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from ssd.cli.checks import PATHS
from ssd.cli.command_line import renamed
from ssd.cli.compose import compose_jobs, slug
from ssd.cli.replay import check_links, replayed, trusts
from ssd.comparison.sources import training
from ssd.config.groups import MEMBERS
from ssd.config.overrides import as_override, by_key, key_of, quote, without
from ssd.console import say
from ssd.errors import UserError
from ssd.runs.best_by import recorded_best_by
from ssd.runs.checkpoint import check_checkpoint
from ssd.runs.folder import BEST, CONFIG, LAST, OVERRIDES, is_run, run_of
from ssd.runs.going_on import check_can_go_on
from ssd.runs.started import (
    called_from,
    config_dir_of,
    config_of,
    fitted_priors_of,
    overrides_of,
    own_store,
    started,
)

# What a stored command asked of that run only.
_OF_ONE_RUN = ("task", "resume", "resume_from", "source", "allow_changes", "trust", "hydra.output_subdir")
_STARTED_FROM = ("checkpoint", "weights")
# Of a backbone's settings those that its weights do not depend on.
_NO_SHAPE = ("_target_", "name", "weights", "freeze_until", "freeze_batch_norm")


def with_earlier_run(overrides: Sequence[str], multirun: bool, config_dir: str | None = None) -> list[str]:
    """The overrides that `resume=`, `checkpoint=` or `weights=` bring with them, then the user's own, which win.

    `checkpoint=` of a training names weights to start from, and brings the settings of their network alone, as
    `weights=` does; of evaluating, exporting and inspecting, all that the run was started with and is known to be
    harmless (`replay`). Of predicting and serving, which need the checkpoint alone, it brings the name.

    Raises:
        UserError: a folder that is no run, a resume without anything to go on from, or several of them in a multirun;
            weights that cannot be read.
    """
    given = by_key(overrides)
    resume = _path(given.get("resume"), "resume")
    checkpoint = _path(given.get("checkpoint"), "checkpoint")
    weights = _value(given.get("weights"), "weights")
    task = given["task"].get_value_element_as_str() if "task" in given else "train"
    if task == "reproduce":
        return _repeated(_path(given.get("source"), "source"), overrides, given, multirun, config_dir)
    if resume is not None:
        if multirun:
            raise UserError("resume continues one run; leave -m out")
        if checkpoint is not None or weights is not None:
            raise UserError("resume goes on from the run's own last checkpoint; leave checkpoint and weights out")
        return _resumed(resume, overrides, given, config_dir)
    if weights is not None:
        return _with_network(weights, overrides, given)
    if checkpoint is not None and checkpoint.exists():
        # resolved, because outputs/latest will point elsewhere as soon as another training starts
        overrides = [*without(overrides, ("checkpoint",)), f"checkpoint={quote(str(checkpoint.resolve()))}"]
        folder = run_of(checkpoint.resolve())
        if folder is not None and task in ("evaluate", "export", "benchmark", "inspect"):
            _check_config_dir(folder, config_dir)
            stored = without(_stored(folder, given), _STARTED_FROM)
            return [*(line for line in stored if _is_read_by(task, line)), *overrides]
        if folder is not None and task in ("train", "lr_find"):
            network = without(network_of(folder, given, config_dir), given)
            return [*replayed(network, folder, trusts(given)), *overrides]
        if task in ("predict", "serve"):
            name = [f"name={quote(_name_of(checkpoint.resolve(), folder))}"]
            return [*(replayed(name, folder, trusts(given)) if folder is not None else name), *overrides]
    return list(overrides)


def network_of(folder: Path, given: Collection[str], config_dir: str | None) -> list[str]:
    """The overrides that make a run's network: its backbone and detector, and what is set in them otherwise.

    Args:
        folder: of the run.
        given: keys that the user has set; a group whose option is among them brings nothing.
        config_dir: Hydra's flag, for options of the user's own.
    """
    config = config_of(folder)
    if config is None:
        say(f"{folder} has no {CONFIG} that tells its network; it is taken to be this command's")
        return []
    run = started(folder)
    lines = [f"{group}={run.choice(group)}" for group in ("backbone", "detector") if group not in given]
    (usual,) = compose_jobs(lines, multirun=False, config_dir=config_dir)
    for group in [key_of(line) for line in lines]:
        theirs, ours = config[group], _plain(usual[group])
        changed = [key for key in theirs if key in ours and key not in _NO_SHAPE and theirs[key] != ours[key]]
        lines += [f"{group}.{key}={as_override(theirs[key])}" for key in changed]
    return lines


def _name_of(checkpoint: Path, folder: Path | None) -> str:
    """What to call a detector: as its run is, or its file; a damaged configuration does not keep it from its work."""
    with suppress(UserError):
        config = config_of(folder) if folder is not None else None
        if config is not None and "name" in config:
            return slug(str(config["name"]))
    return slug(checkpoint.stem)


def _plain(node: Any) -> dict[str, Any]:
    return dict(OmegaConf.to_container(node, resolve=True, enum_to_str=True))  # type: ignore[arg-type]


def _is_read_by(task: str, line: str) -> bool:
    """Whether a task knows the key, where it is one of another task's own."""
    section, _, key = key_of(line).partition(".")
    schema = MEMBERS["task"].get(task, MEMBERS["task"]["task"])
    return section != "task" or key in {field.name for field in fields(schema)}


def _value(override: Override | None, key: str) -> str | None:
    value = override.value() if override is not None else None
    if override is not None and override.is_sweep_override():
        raise UserError(f"{key} takes one path; run the command once for each of {override.get_value_string()}")
    return str(value) if value is not None else None


def _path(override: Override | None, key: str) -> Path | None:
    value = _value(override, key)
    return Path(value) if value is not None else None


def _with_network(weights: str, overrides: Sequence[str], given: dict[str, Override]) -> list[str]:
    """The settings of the network that `weights` fits, then the user's overrides with the file's whole path."""
    from ssd.weights.reader import read_layout, split_spec  # numpy, which nobody else needs here

    layout = read_layout(weights)
    network = dict(line.split("=", 1) for line in layout.overrides)
    backbone = given["backbone"].get_value_string() if "backbone" in given else network["backbone"]
    if backbone != network["backbone"]:
        raise UserError(
            f"weights={weights} is {layout.title}, whose backbone is {network['backbone']}, not {backbone}; leave "
            f"backbone={backbone} out"
        )
    project, file = split_spec(weights)
    absolute = f"weights={quote(f'{project}:{file.resolve()}')}"
    settings = [line for line in layout.overrides if line.split("=", 1)[0] not in given]
    return [*settings, *without(overrides, ("weights",)), absolute]


def _resumed(
    given_path: Path, overrides: Sequence[str], given: dict[str, Override], config_dir: str | None
) -> list[str]:
    folder = given_path.resolve()
    if not folder.exists():
        raise UserError(f"resume={given_path}: there is no such folder; paths are relative to {Path.cwd()}")
    if not is_run(folder):
        raise UserError(f"resume={given_path} is not a run folder: it has no {OVERRIDES}")
    if any(re.match(r"task=(?!(train|reproduce)$)", line) for line in overrides_of(folder)):
        raise UserError(f"resume={given_path} is not the folder of a training; only a training can be continued")
    if not trusts(given):
        check_links(folder, f"resume={given_path}")
    _check_config_dir(folder, config_dir)
    from_best = "resume_from" in given and given["resume_from"].value() == "best"
    check_can_go_on(folder, str(given_path), from_best)
    checkpoint = folder / (BEST if from_best else LAST)
    if checkpoint.is_file():
        _check_to_go_on(checkpoint, folder / BEST)
    mine = [*without(overrides, ("resume", "hydra.run.dir")), f"resume={quote(str(folder))}"]
    if "tracking.uri" not in given and (uri := own_store(folder)) is not None:
        # its default depends on the folder one calls from, and the run goes on in its own store
        mine += replayed([f"tracking.uri={quote(uri)}"], folder, trusts(given))
    best_by = _same_best_by(folder, given)
    mine = [*without(mine, [key_of(line) for line in best_by]), *best_by]
    stored = without(_stored(folder, given), [key_of(line) for line in mine])
    if checkpoint.is_file():
        stored = without(stored, _STARTED_FROM)  # before its first checkpoint a run starts again from where it did
    # Hydra would note the new command before it is known to be one that the run can go on with
    return [*stored, *mine, f"hydra.run.dir={quote(str(folder))}", "hydra.output_subdir=null"]


def _repeated(
    source: Path | None, overrides: Sequence[str], given: dict[str, Override], multirun: bool, config_dir: str | None
) -> list[str]:
    """All that a training was started with, the weights it began with among it, for another one."""
    if source is None:
        return list(overrides)  # which the checks answer
    if multirun:
        raise UserError("task=reproduce repeats one run; leave -m out")
    folder = training(str(source)).resolve()
    _check_config_dir(folder, config_dir)
    stored = [line for line in _stored(folder, given) if _is_read_by("reproduce", line)]
    return [*stored, *without(overrides, ("source",)), f"source={quote(str(folder))}"]


def _check_to_go_on(checkpoint: Path, best: Path) -> None:
    try:
        check_checkpoint(checkpoint)
    except UserError as error:
        if checkpoint == best or not best.is_file():
            raise
        raise UserError(f"{error}, or go on from the best one: from=best") from error


def _same_best_by(folder: Path, given: dict[str, Override]) -> list[str]:
    """The `training.best_by` that a run has; by another its best checkpoint and patience would change their meaning."""
    recorded = recorded_best_by(folder)
    if recorded is None:
        return []
    asked = given["training.best_by"].value() if "training.best_by" in given else recorded
    if asked != recorded and (folder / LAST).is_file():
        raise UserError(
            f"training.best_by={asked}: {folder} chose its best checkpoint by {recorded}; leave training.best_by out"
        )
    return [f"training.best_by={asked}"]


def _stored(folder: Path, given: dict[str, Override]) -> list[str]:
    """The overrides stored in a run folder, without those given anew; relative paths keep their meaning.

    Priors that the run has fitted are among them, in the place of the wish for that.
    """
    lines = without(map(renamed, overrides_of(folder)), (*_OF_ONE_RUN, *given))
    fitted = _fitted(folder)
    lines = [*without(lines, list(fitted)), *(f"{key}={as_override(fitted[key])}" for key in without(fitted, given))]
    lines = [line for line in replayed(lines, folder, trusts(given)) if not _is_of_another_option(line, folder, given)]
    if not lines:
        return []
    home = called_from(folder)
    return [_anchored(line, home) for line in lines]


def _fitted(folder: Path) -> dict[str, Any]:
    """What a run's `detector.priors=auto` came to, by key.

    A damaged configuration tells nothing: an evaluation does not need it, as the checkpoint has its priors, and to
    resume with it is refused when it is compared.
    """
    with suppress(UserError):
        return {f"detector.{key}": value for key, value in fitted_priors_of(folder).items()}
    return {}


def _is_of_another_option(line: str, folder: Path, given: Mapping[str, Override]) -> bool:
    """Whether a setting belongs to an option of a group, `dataset.path` say, in whose place another one is given."""
    group, dot, _ = key_of(line).partition(".")
    if not dot or group not in given or group == "task":  # whose settings tasks share (`_is_read_by`)
        return False
    return given[group].get_value_element_as_str() != started(folder).choices.get(group)


def _check_config_dir(folder: Path, config_dir: str | None) -> None:
    """Refuses to go on without the user's own YAML that a run was started with: it may be needed, and is code."""
    if config_dir is not None or (used := config_dir_of(folder)) is None:
        return
    there = f"give it again: --config-dir={quote(used)}" if Path(used).is_dir() else "put it back, and give it again"
    raise UserError(
        f"{os.path.relpath(folder)} was started with --config-dir={used}, which is code of its own; {there}"
    )


def _anchored(line: str, called_from: Path) -> str:
    """A path that was relative to the folder the run was called from, made absolute."""
    ((key, parsed),) = by_key([line]).items()
    value = parsed.value()
    key = re.sub(r"^dataset\.parts\.\w+", "dataset", key)  # of joined data sets
    if key in PATHS and value is not None and (path := called_from / str(value)).exists():
        return f"{parsed.get_key_element()}={quote(str(path))}"
    return line
