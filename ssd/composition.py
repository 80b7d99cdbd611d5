"""Composing the configuration with Hydra, and saying in one sentence what the user got wrong.

Imports nothing heavy: a wrong key must be answered before TensorFlow is loaded.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException, ValidationError

from ssd import config as schemas
from ssd.errors import UserError
from ssd.overrides import quote
from ssd.suggest import nearest
from ssd.sweep import launcher_config, launchers, optuna_sweeper
from ssd.sweep.space import read_space
from ssd.sweep.study import check_search

ROOT = Path(__file__).parents[1]
CONF = ROOT / "conf"

# Members of open groups that this project ships; conf/GROUP/*.yaml name theirs in the defaults list.
SCHEMAS: dict[str, dict[str, type]] = {
    "backbone": {
        "vgg16": schemas.VGG16Config,
        "mobilenet_v2": schemas.MobileNetV2Config,
        "mobilenet_v3_large": schemas.MobileNetV3LargeConfig,
    },
    "dataset": {
        "shapes": schemas.ShapesConfig,
        "voc": schemas.VOCTFDSConfig,
        "coco": schemas.CocoTFDSConfig,
        "voc_folder": schemas.VOCFolderConfig,
        "coco_json": schemas.CocoJsonConfig,
    },
    "optimizer": {"sgd": schemas.SGDConfig, "adam": schemas.AdamConfig},
    "schedule": {"step": schemas.StepConfig, "cosine": schemas.CosineConfig},
}


def register() -> None:
    """Makes schemas, resolvers, the sweeps folder and the sweeper of searches known to Hydra; may be called again."""
    os.environ["SSD_ROOT"] = str(ROOT)  # hydra.searchpath in conf/config.yaml
    store = ConfigStore.instance()
    store.store(group="schema", name="config", node=schemas.Config)
    for group, members in SCHEMAS.items():
        for name, node in members.items():
            store.store(group=f"schema/{group}", name=name, node=node)
    for name, node in launcher_config.SCHEMAS.items():
        store.store(group="schema/launcher", name=name, node=node)
    optuna_sweeper.register()
    launchers.register()
    OmegaConf.register_new_resolver("ssd.cwd", lambda: str(Path.cwd()), replace=True)
    OmegaConf.register_new_resolver("ssd.slug", slug, replace=True)


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
    return [compose(config_name, job, return_hydra_config=True) for job in jobs]


def without_hydra(cfg: DictConfig) -> DictConfig:
    """A copy without Hydra's own node: what a task gets."""
    copy = cfg.copy()
    with read_write(copy), open_dict(copy):
        copy.pop("hydra", None)
    return copy


def explain(error: BaseException) -> str:
    """One sentence for a user from an exception of Hydra or OmegaConf."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: there is no such {group.removesuffix('s')}{nearest(option, error.options or [])}"
    if isinstance(error, OverrideParseException):
        return f"'{error.override}' cannot be read; write key=value, and quote special characters: 'key=\"a,b\"'"
    if twice := re.match(r"Multiple values for (\S+)\. To override a value use 'override \S+: (\S+)'", str(error)):
        return f"{twice[1]} has a value already; leave the + out: {twice[1]}={twice[2]}"
    if str(error).startswith("Ambiguous value for argument 'source="):
        return "source takes one value; several folders or run ids are joined by +: source=A+B"
    cause = next((e for e in _chain(error) if isinstance(e, OmegaConfBaseException) and e.full_key is not None), None)
    where = re.match(r"In '([^']+)': ", str(error))
    prefix = f"{where[1]}.yaml: " if where and where[1] != "config" else ""
    if cause is None:
        return prefix + _one_line(str(error))
    if isinstance(cause, ValidationError) and cause.full_key == "sweep":
        return "sweep is a section (sweep.register=NAME); a sweep is chosen by sweeps=NAME"
    if isinstance(cause, ValidationError):
        return f"{prefix}{cause.full_key}: {_one_line(str(cause.msg or cause))}{_enum_hint(cause)}"
    if isinstance(cause.parent_node, DictConfig) and cause.key not in cause.parent_node:
        return prefix + unknown_key(str(cause.full_key), known_keys(cause.parent_node))
    return f"{prefix}{cause.full_key}: {_one_line(str(cause.msg or cause))}"


def unknown_key(full_key: str, siblings: Iterable[str]) -> str:
    """The sentence for a key that does not exist, with the nearest of its siblings or of all keys."""
    prefix, dot, leaf = full_key.rpartition(".")
    siblings = list(siblings)
    if close := get_close_matches(leaf, siblings, n=1):
        return f"unknown key '{full_key}'; did you mean '{prefix}{dot}{close[0]}'?"
    elsewhere = {key.rpartition(".")[2]: key for key in schema_keys(schemas.Config)}
    close = get_close_matches(leaf, elsewhere, n=1, cutoff=0.8)
    if close and elsewhere[close[0]] != full_key:
        return f"unknown key '{full_key}'; did you mean '{elsewhere[close[0]]}'?"
    return f"unknown key '{full_key}'{nearest(leaf, siblings)}"


def known_keys(node: DictConfig) -> list[str]:
    """The keys that a node may have: its dataclass' fields, or what its YAML wrote."""
    schema = OmegaConf.get_type(node)
    return [f.name for f in fields(schema)] if is_dataclass(schema) else [str(key) for key in node]


def schema_keys(schema: type, prefix: str = "") -> list[str]:
    """Every key of a schema, dotted; of an open group those of the members that this project ships."""
    keys: list[str] = []
    for field in fields(schema):
        nested = [field.type] if is_dataclass(field.type) else list(SCHEMAS.get(field.name, {}).values())
        keys.append(prefix + field.name)
        for node in nested:
            keys += schema_keys(node, f"{prefix}{field.name}.")  # type: ignore[arg-type]
    return keys


def _enum_hint(error: ValidationError) -> str:
    options = re.search(r"expected one of \[(.*)\]", str(error.msg))
    return nearest(str(error.value), options[1].split(", ")) if options else ""


def _chain(error: BaseException | None) -> Iterable[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _one_line(message: str) -> str:
    """OmegaConf's and Hydra's messages without the details meant for programmers."""
    lines = [line.strip() for line in message.splitlines()]
    kept = [s for s in lines if s and not re.match(r"(full_key|reference_type|object_type|See https|To append to)", s)]
    return "; ".join(kept).replace("Config group override", "a group's value").rstrip(".")


def plain(node: Any) -> Any:
    """A node as plain Python containers, interpolations resolved."""
    return OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig | ListConfig) else node
