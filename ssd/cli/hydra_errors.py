"""What Hydra and OmegaConf raise, in one sentence for the user."""

import re
from collections.abc import Iterable
from dataclasses import fields, is_dataclass

from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from ssd.config import schemas
from ssd.config.overrides import unreadable
from ssd.errors import closest, nearest

# What other projects call what is a key here (ultralytics, MMDetection, torchvision's references).
_CALLED_ELSEWHERE = {
    "lr": "optimizer.learning_rate",
    "lr0": "optimizer.learning_rate",
    "batch": "training.batch_size",
    "imgsz": "detector.image_size",
    "img_size": "detector.image_size",
    "iou": "detector.nms_iou",
    "max_det": "detector.max_detections",
    "model": "backbone (and detector), or checkpoint=RUN_FOLDER",
    "data": "dataset, and dataset.path",
    "project": "tracking.experiment",
    "amp": "precision",
    "device": "set outside: CUDA_VISIBLE_DEVICES",
    "save_dir": "hydra.run.dir",
    "output": "hydra.run.dir",
}


def explain(error: BaseException) -> str:
    """One sentence for a user from an exception of Hydra or OmegaConf."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option}: there is no such {group.removesuffix('s')}{nearest(option, error.options or [])}"
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    if twice := re.match(r"Multiple values for (\S+)\. To override a value use 'override \S+: (\S+)'", str(error)):
        return f"{twice[1]} has a value already; leave the + out: {twice[1]}={twice[2]}"
    if several := re.match(r"Ambiguous value for argument '([^=]+)=(.*)'", str(error)):
        key, value = several.groups()
        return f"{key}={value} has several values; run all with -m, or quote what is one: '{key}=\"{value}\"'"
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
    if full_key.lower() in _CALLED_ELSEWHERE:
        return f"unknown key '{full_key}'; here it is {_CALLED_ELSEWHERE[full_key.lower()]}"
    if (close := closest(leaf, siblings)) is not None:
        return f"unknown key '{full_key}'; did you mean '{prefix}{dot}{close}'?"
    elsewhere = {key.rpartition(".")[2]: key for key in schemas.schema_keys(schemas.Config)}
    close = closest(leaf, elsewhere, cutoff=0.8)
    if close is not None and elsewhere[close] != full_key:
        return f"unknown key '{full_key}'; did you mean '{elsewhere[close]}'?"
    return f"unknown key '{full_key}'{nearest(leaf, siblings)}"


def known_keys(node: DictConfig) -> list[str]:
    """The keys that a node may have: its dataclass' fields, or what its YAML wrote."""
    schema = OmegaConf.get_type(node)
    return [f.name for f in fields(schema)] if is_dataclass(schema) else [str(key) for key in node]


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
