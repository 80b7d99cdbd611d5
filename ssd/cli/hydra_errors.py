"""What Hydra and OmegaConf raise, in one sentence for the user."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path

import yaml
from hydra.errors import MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from ssd.cli.yaml_files import broken_yaml
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


# What they say, in words that need no knowledge of them: pattern, sentence.
_WORDS = (
    (
        r"Multiple values for (\S+)\. To override a value use 'override \S+: (\S+)'",
        r"\1 has a value already; leave the + out: \1=\2",
    ),
    (
        r"Could not append to config\. An item is already at '[^']+'.*Either remove \+ prefix: '([^=']+)=([^']*)'",
        r"\1 has a value already; leave the + out: \1=\2",
    ),
    (
        r"force-add of config groups is not supported: '\+\+(.*)'",
        r"++\1: an option of a group is chosen without the ++: \1",
    ),
    (r"Could not delete from config\. '(.+)' does not exist", r"~\1: there is no such key to take away; leave it out"),
    (
        r"Could not delete '(.+)'\. No match in the defaults list",
        r"~\1: there is no such choice to take away; leave it out",
    ),
    (
        r"In '(\S+)': Could not override '(\S+)'\. No match in the defaults list",
        r"\1.yaml: its defaults list overrides \2, which is no group; correct the name",
    ),
    (
        r"In '(\S+)': .*Cannot merge (DictConfig with ListConfig|ListConfig with DictConfig)",
        r"\1.yaml has keys where a list belongs, or a list where keys belong; compare it with the one in conf/",
    ),
    (
        r"Invalid defaults list in '(\S+)', (.*)",
        r"\1.yaml: \2; write `defaults:` and under it lines that begin with a dash",
    ),
    (
        r"Unsupported type in defaults : (\w+)",
        r"a defaults list has an entry that is a \1; its entries are names, `- name` or `- group: name`",
    ),
    (r"Duplicate _self_ defined in (\S+)", r"\1.yaml: its defaults list has _self_ twice; take one out"),
    (
        r"(Too many components in|Expected header format: KEY VALUE, got) '(.*)'",
        r"the first line '# \2' of a YAML cannot be read; write '# @package _global_' or leave it out",
    ),
)

# The same of messages about a key, which goes before them.
_WORDS_OF_A_KEY = (
    (
        r"KeyError raised while resolving interpolation: .*Environment variable '(\w+)' not found.*",
        r"the environment variable \1 is not set; set it",
    ),
    (r"GrammarParseError raised while resolving interpolation: .*", r"its ${...} cannot be read; correct it"),
    (r"token recognition error.*", r"its ${...} cannot be read; correct it"),
    (r"Recursive interpolation detected", r"its ${...} leads back to itself; give a value"),
    (r"field '[^']+' is not Optional", r"must have a value; null is none"),
    (r"Value (-?\d+) \(int\) is incompatible with type hint 'float'", r"\1 must be written with a point: \1.0"),
    (
        r"(?:Merge error|Invalid type assigned): (\w+) is not a subclass of \w+\. value: .*",
        r"must be a section of keys and values, and is a \1",
    ),
)


def explain(error: BaseException) -> str:
    """One sentence for a user from an exception of Hydra or OmegaConf."""
    if isinstance(error, yaml.YAMLError):
        mark = getattr(error, "problem_mark", None)
        return broken_yaml(error, os.path.relpath(mark.name) if mark is not None else "a YAML file")
    where = re.match(r"In '([^']+)': ", str(error))
    prefix = f"{where[1]}.yaml: " if where and where[1] != "config" else ""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _missing(error.missing_cfg_file, error.options or [], prefix)
    if isinstance(error, OverrideParseException):
        return unreadable(error.override)
    if several := re.match(r"Ambiguous value for argument '([^=]+)=(.*)'", str(error)):
        key, value = several.groups()
        return f"{key}={value} has several values; run all with -m, or quote what is one: '{key}=\"{value}\"'"
    cause = next((e for e in _chain(error) if isinstance(e, OmegaConfBaseException) and e.full_key is not None), None)
    if (said := _in_words(" ".join(str(error).split()), _WORDS)) is not None:
        return said
    if cause is None:
        return prefix + _one_line(str(error))
    return prefix + _explain_key(cause)


def _explain_key(cause: OmegaConfBaseException) -> str:
    """The sentence on a key that OmegaConf names."""
    key, message = str(cause.full_key), _one_line(str(cause.msg or cause))
    if isinstance(cause, ValidationError) and key == "sweep":
        return "sweep is a section (sweep.register=NAME); a sweep is chosen by sweeps=NAME"
    if "does not support deletion" in message:
        return f"~{key}: {key} cannot be left out; give it a value instead: {key}=..."
    if nothing := re.search(r"Missing mandatory value: (\S+)", message):
        return f"{nothing[1]} has no value; give {nothing[1]}=..."
    if nothing := re.match(r"Interpolation key '(\S+)' not found", message):
        return _points_nowhere(key, nothing[1])
    if isinstance(cause, ValidationError):
        if getattr(cause, "value", None) == {}:
            return f"{key} is one value and has no keys below it; give {key}=..."
        return f"{key}: {_in_words(message, _WORDS_OF_A_KEY) or message}{_enum_hint(cause)}".removeprefix(": ")
    parent = cause.parent_node
    if isinstance(parent, DictConfig) and not parent._is_none() and cause.key is not None and cause.key not in parent:
        return unknown_key(key, known_keys(parent))
    return f"{key}: {_in_words(message, _WORDS_OF_A_KEY) or message}".removeprefix(": ")


def _points_nowhere(key: str, nothing: str) -> str:
    group, _, leaf = nothing.partition(".")
    if leaf == "name" and group in ("task", "backbone", "dataset", "detector"):
        return f"{nothing} has no value; give it one in its YAML (name: ...)"
    return f"{key}: ${{{nothing}}} names no key of the configuration; correct it"


def _in_words(message: str, words: Iterable[tuple[str, str]]) -> str | None:
    """A message of Hydra or OmegaConf as a sentence, where it is one of those that users meet; else None."""
    for pattern, sentence in words:
        if (found := re.search(pattern, message, re.DOTALL)) is not None:
            return found.expand(sentence)
    return None


def _missing(name: str, options: Sequence[str], prefix: str) -> str:
    """The sentence on an option of a group that does not exist."""
    if "/" not in name:
        return f"--config-name {name}: there is no such configuration beside config.yaml; leave it out"
    group, _, option = name.rpartition("/") if name.startswith(("hydra/", "schema/")) else name.partition("/")
    if prefix and not prefix.startswith("hydra/"):  # of Hydra's own lists the choice was typed
        return (
            f"{prefix}its defaults list names {name}, which does not exist; correct it{_did_you_mean(option, options)}"
        )
    return f"{group}={option}: there is no such {group.removesuffix('s')}{nearest(Path(option).stem, options)}"


def _did_you_mean(option: str, options: Sequence[str]) -> str:
    return f" (did you mean {close}?)" if (close := closest(option, options)) is not None else ""


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
