"""Composing the configuration with Hydra.

Imports nothing heavy: a wrong key must be answered before TensorFlow is loaded.
"""

import os
import pickle
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ssd.cli import yaml_files
from ssd.cli.hydra_errors import explain
from ssd.cli.hydra_node import check_hydra
from ssd.config import schemas
from ssd.config.dataset_name import folder_name
from ssd.config.overrides import quote
from ssd.environment import ROOT
from ssd.errors import UserError, nearest
from ssd.runs.folder import as_typed
from ssd.sweep.launch import config as launcher_config
from ssd.sweep.launch import launchers
from ssd.sweep.search import optuna_sweeper
from ssd.sweep.search.space import read_space
from ssd.sweep.search.study import check_one_aim, check_search

CONF = ROOT / "conf"
_MOST_JOBS = 2000  # of a grid


def register() -> None:
    """Makes schemas, resolvers, the sweeper of searches and the launchers known to Hydra; may be called again."""
    schemas.register()
    store = ConfigStore.instance()
    if "launcher" not in store.repo["schema"]:
        for name, node in launcher_config.SCHEMAS.items():
            store.store(group="schema/launcher", name=name, node=node)
    optuna_sweeper.register()
    launchers.register()
    yaml_files.register()
    OmegaConf.register_new_resolver("ssd.cwd", lambda: str(Path.cwd()), replace=True)
    OmegaConf.register_new_resolver("ssd.slug", slug, replace=True)
    OmegaConf.register_new_resolver("ssd.folder", folder_name, replace=True)


def slug(text: str) -> str:
    """A part of a folder's name: whatever is awkward in one becomes a dash, and it stays short."""
    return re.sub(r"[^\w.=,+-]+", "-", str(text))[:80].strip("-.,") or "job"


def compose_jobs(
    overrides: Sequence[str], multirun: bool, config_name: str = "config", config_dir: str | None = None
) -> list[DictConfig]:
    """Composes what `overrides` ask for: one configuration, or one per job of a grid, each with its `hydra` node.

    A search chooses its jobs as it goes; then they are the ones at the ends of its ranges. Of another sweeper than
    Hydra's basic one and ours only what its jobs share is composed.

    Raises:
        UserError: for every mistake that Hydra or OmegaConf finds.
    """
    register()
    if config_dir is not None and not os.path.isdir(config_dir):
        raise UserError(f"--config-dir {config_dir[:200]}: there is no such folder")
    try:
        with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
            jobs = _compose_jobs([_search_path(config_dir), *overrides], multirun, config_name)
    except RecursionError as error:
        typed = " ".join(line for line in overrides if not line.startswith("hydra."))[:200]
        raise UserError(
            "the defaults list of a YAML names that YAML itself, directly or through others; look at what "
            f"{typed} chooses"
        ) from error
    except (HydraException, OmegaConfBaseException, YAMLError, ValueError) as error:
        raise UserError(_of_two(error, overrides) or explain(error)) from error
    if any(name not in jobs[0] for name in ("task", "tracking")):
        raise UserError(f"--config-name {config_name} is no whole configuration; leave it out, or choose config")
    for job in jobs:
        check_hydra(job, multirun)
    return jobs


@contextmanager
def mode_known() -> Iterator[None]:
    """Within the block Hydra takes it that no YAML sets hydra.mode, for which it would compose everything once more."""
    composing = Hydra.get_mode
    Hydra.get_mode = lambda *_, **__: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = composing  # type: ignore[method-assign]


def _search_path(config_dir: str | None) -> str:
    folders = [ROOT] if config_dir is None else [Path(config_dir).resolve(), ROOT]
    return f"hydra.searchpath=[{','.join(quote(f'file://{folder}') for folder in folders)}]"


def chosen_groups(job: DictConfig, config_name: str = "config", config_dir: str | None = None) -> set[str]:
    """The groups whose option was chosen for a job, be it the usual one: typed, or by an experiment or data set.

    Args:
        job: from `compose_jobs`.
        config_name, config_dir: it was composed with.
    """
    lines = [_search_path(config_dir), *as_typed(job.hydra.overrides.hydra), *as_typed(job.hydra.overrides.task)]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
        loader = GlobalHydra.instance().config_loader()
        found = loader.compute_defaults_list(config_name, list(dict.fromkeys(lines)), RunMode.RUN)
    return {group.partition("@")[0] for group in found.overrides.override_metadata}


def _of_two(error: Exception, overrides: Sequence[str]) -> str | None:
    """The sentence on two files that do not go together; None where it is no such error."""
    twice = re.match(r"Multiple values for (\S+)\. To override a value use 'override \S+: (\S+)'", str(error))
    if twice is not None and not any(line.startswith(f"+{twice[1]}=") for line in overrides):
        return f"a defaults list chooses {twice[1]} a second time; write there: - override /{twice[1]}: {twice[2]}"
    if isinstance(error, MissingConfigException) and (missing := error.missing_cfg_file or "").count("/") == 1:
        line = missing.replace("/", "=")
        if not re.match(r"In '(?!config')", str(error)) and not any(given.endswith(line) for given in overrides):
            hint = nearest(line.partition("=")[2], error.options or [])
            return f"a defaults list chooses {line}, which does not exist{hint}"
    chosen = dict(line.split("=", 1) for line in overrides if re.fullmatch(r"\w+=[\w.-]+", line))
    file = re.match(r"In 'experiment/([^']+)': ", str(error))
    key = re.search(r"full_key: (\w+)\.\S+", str(error))
    if file is None or key is None or key[1] not in chosen or chosen.get("experiment") != file[1]:
        return None
    full_key, option = key[0].removeprefix("full_key: "), f"{key[1]}={chosen[key[1]]}"
    return f"experiment={file[1]} sets {full_key}, which {option} does not have; leave one of the two out"


def _compose_jobs(overrides: Sequence[str], multirun: bool, config_name: str) -> list[DictConfig]:
    if not multirun:
        return [compose(config_name, list(overrides), return_hydra_config=True)]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    shared = [parsed.input_line for parsed in parser.parse_overrides(list(overrides)) if not parsed.is_sweep_override()]
    base = compose(config_name, [str(line) for line in shared], return_hydra_config=True)
    sweeper = base.hydra.sweeper
    if not isinstance(sweeper, DictConfig) or not isinstance(sweeper.get("_target_"), str):
        raise UserError("hydra.sweeper is no sweeper; choose one: hydra/sweeper=basic or hydra/sweeper=optuna")
    if sweeper._target_ == optuna_sweeper.TARGET:
        space = read_space(sweeper.params, overrides, parser)
        check_search(sweeper, space)
        jobs = space.probes()
    elif sweeper._target_.endswith(f".{BasicSweeper.__name__}"):
        grid = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
        parsed = parser.parse_overrides([*grid, *overrides])
        if endless := [override.input_line for override in parsed if override.is_interval_sweep()]:
            raise UserError(f"{endless[0]} has no end of values; a search can draw from it: add hydra/sweeper=optuna")
        _check_number(parsed)
        (jobs,) = BasicSweeper.split_arguments(parsed, None)
    else:
        return [base]
    composed = [compose(config_name, job, return_hydra_config=True) for job in jobs]
    if sweeper._target_ == optuna_sweeper.TARGET:
        check_one_aim(composed)
    return composed


def _check_number(parsed: Sequence[Override]) -> None:
    """Each job is composed and checked before the first one starts."""
    jobs = 1
    for override in parsed:
        if not override.is_sweep_override():
            continue
        values = len(list(islice(override.sweep_iterator(), _MOST_JOBS + 1)))
        if values == 0:
            raise UserError(f"{override.input_line} gives no value at all; correct it")
        jobs *= values
        if jobs > _MOST_JOBS:
            raise UserError(
                f"{override.input_line}: the grid has more than {_MOST_JOBS} jobs; take fewer values, or draw from "
                "them: hydra/sweeper=optuna"
            )


def without_hydra(cfg: DictConfig) -> DictConfig:
    """A copy without Hydra's own node: what a task gets."""
    copy: DictConfig = pickle.loads(pickle.dumps(cfg))  # twice as fast as its own copy
    with read_write(copy), open_dict(copy):
        copy.pop("hydra", None)
    return copy
