"""Reading what lies in the folder of a run or a sweep: whatever became of a file, one sentence says so."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ssd.errors import UserError, first_line
from ssd.runs.yaml_structure import check_structure

Kinds = Mapping[str, Callable[[Any], bool]]  # key → whether its value is of the kind that belongs there


def damaged(file: Path, reason: str, remedy: str) -> UserError:
    """The sentence on a file that cannot be used.

    Args:
        file: as it is to be named.
        reason: what is wrong with it.
        remedy: what the user can do.
    """
    return UserError(f"{file} cannot be read ({reason}); {remedy}")


def read_text(file: Path, remedy: str) -> str:
    """A UTF-8 file that may not be empty.

    Raises:
        UserError: naming the file, what is wrong with it, and the remedy.
    """
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise damaged(file, "it is not UTF-8 text", remedy) from error
    except OSError as error:
        raise damaged(file, reason_of(error), remedy) from error
    if not text.strip():
        raise damaged(file, "it is empty", remedy)
    return text


def read_json(file: Path, remedy: str, kinds: Kinds | None = None) -> dict[str, Any]:
    """The mapping in a JSON file.

    Args:
        file: to read.
        remedy: what the user can do where it is damaged.
        kinds: of the keys that it must have, and it alone may have.

    Raises:
        UserError: naming the file, what is wrong with it, and the remedy.
    """
    try:
        values = json.loads(read_text(file, remedy))
    except (ValueError, RecursionError) as error:
        raise damaged(file, f"it is not JSON: {first_line(error)}", remedy) from error
    if not isinstance(values, dict):
        raise damaged(file, f"it holds a {type(values).__name__}, not keys and values", remedy)
    for key, is_kind in (kinds or {}).items():
        if key not in values:
            raise damaged(file, f"it has no {key}", remedy)
        if not is_kind(values[key]):
            raise damaged(file, f"its {key} is {_short(values[key])}", remedy)
    if unknown := [key for key in values if kinds is not None and key not in kinds]:
        raise damaged(file, f"it has the unknown key {_short(unknown[0])}", remedy)
    return values


def read_yaml(file: Path, remedy: str) -> Any:
    """What a YAML file holds, in plain lists and mappings; interpolations stay the text that they are.

    They are not resolved, because a folder may come from a stranger: `${oc.env:…}` would read this user's environment.

    Raises:
        UserError: naming the file, what is wrong with it, and the remedy.
    """
    text = read_text(file, remedy)
    if not text.endswith("\n"):
        raise damaged(file, "it is cut short", remedy)
    try:
        check_structure(text, str(file))
        loaded = OmegaConf.create(text)
        return OmegaConf.to_container(loaded, resolve=False)
    except (YAMLError, OmegaConfBaseException, ValueError, RecursionError, AssertionError) as error:
        raise damaged(file, f"it is not YAML: {first_line(error)}", remedy) from error


def at(values: Any, key: str) -> Any:
    """The value at a dotted key of nested mappings, None where there is none."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def note_in(file: Path) -> str:
    """A line that the run left for people, or why it cannot be read."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return f"{file.name} cannot be read ({reason_of(error)})"
    return " ".join(text.split()) or f"{file.name} is empty"


def reason_of(error: OSError) -> str:
    """What the operating system says, without number and file name."""
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    return error.strerror or first_line(error)


def is_text(value: Any) -> bool:
    """Whether a value is one text."""
    return isinstance(value, str)


def is_texts(value: Any) -> bool:
    """Whether a value is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
