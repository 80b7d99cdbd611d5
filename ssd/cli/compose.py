"""Composing the configuration with Hydra.

Imports nothing heavy: a wrong key must be answered before TensorFlow is loaded.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from ssd.cli.hydra_errors import explain
from ssd.config import schemas
from ssd.config.dataset_name import folder_name
from ssd.config.groups import MEMBERS
from ssd.config.overrides import quote
from ssd.environment import ROOT
from ssd.errors import UserError
from ssd.sweep.launch import config as launcher_config
from ssd.sweep.launch import launchers
from ssd.sweep.search import optuna_sweeper
from ssd.sweep.search.space import read_space
from ssd.sweep.search.study import check_one_aim, check_search

CONF = ROOT / "conf"


def register() -> None:
    """Makes schemas, resolvers, the sweeper of searches and the launchers known to Hydra; may be called again."""
    store = ConfigStore.instance()
    if "schema" not in store.repo:
        store.store(group="schema", name="config", node=schemas.Config)
        for group, members in MEMBERS.items():
            for name, node in members.items():
                store.store(group=f"schema/{group}", name=name, node=node)
        for name, node in launcher_config.SCHEMAS.items():
            store.store(group="schema/launcher", name=name, node=node)
    optuna_sweeper.register()
    launchers.register()
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
    if config_dir is not None and not Path(config_dir).is_dir():
        raise UserError(f"--config-dir {config_dir}: there is no such folder")
    folders = [ROOT] if config_dir is None else [Path(config_dir).resolve(), ROOT]
    search_path = ",".join(quote(f"file://{folder}") for folder in folders)
    try:
        with initialize_config_dir(str(CONF), version_base="1.3", job_name="run"):
            return _compose_jobs([f"hydra.searchpath=[{search_path}]", *overrides], multirun, config_name)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(explain(error)) from error


def _compose_jobs(overrides: Sequence[str], multirun: bool, config_name: str) -> list[DictConfig]:
    if not multirun:
        return [compose(config_name, list(overrides), return_hydra_config=True)]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
    shared = [parsed.input_line for parsed in parser.parse_overrides(list(overrides)) if not parsed.is_sweep_override()]
    base = compose(config_name, [str(line) for line in shared], return_hydra_config=True)
    sweeper = base.hydra.sweeper
    if sweeper._target_ == optuna_sweeper.TARGET:
        space = read_space(sweeper.params, overrides, parser)
        check_search(sweeper, space)
        jobs = space.probes()
    elif sweeper._target_.endswith(f".{BasicSweeper.__name__}"):
        grid = [f"{key}={value}" for key, value in (sweeper.params or {}).items()]
        parsed = parser.parse_overrides([*grid, *overrides])
        if endless := [override.input_line for override in parsed if override.is_interval_sweep()]:
            raise UserError(f"{endless[0]} has no end of values; a search can draw from it: add hydra/sweeper=optuna")
        (jobs,) = BasicSweeper.split_arguments(parsed, None)
    else:
        return [base]
    composed = [compose(config_name, job, return_hydra_config=True) for job in jobs]
    if sweeper._target_ == optuna_sweeper.TARGET:
        check_one_aim(composed)
    return composed


def without_hydra(cfg: DictConfig) -> DictConfig:
    """A copy without Hydra's own node: what a task gets."""
    copy = cfg.copy()
    with read_write(copy), open_dict(copy):
        copy.pop("hydra", None)
    return copy
