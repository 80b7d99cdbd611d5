"""Lines of Hydra's override grammar, `key=value`, as text."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import OverrideParseException

from ssd.errors import UserError


def quote(value: str) -> str:
    """`value` as a quoted string: all characters keep their meaning, but for `${...}`, which stays an interpolation.

    Hydra's grammar takes a backslash for itself everywhere but in front of a quote.
    """
    return "'" + re.sub(r"(\\*)('|\Z)", lambda m: 2 * m[1] + ("\\'" if m[2] else ""), value) + "'"


def as_override(value: Any) -> str:
    """A plain value in Hydra's grammar.

    >>> as_override([{"squeeze": 256, "padding": None}, 0.5, "a b"])
    "[{squeeze: 256, padding: null}, 0.5, 'a b']"
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {as_override(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_override, value)) + "]"
    return quote(value) if isinstance(value, str) else json.dumps(value)


def key_of(line: str) -> str:
    """The key of an override, without what is in front of it.

    >>> key_of("+trainer.depth=3")
    'trainer.depth'
    """
    return line.lstrip("+~").split("=", 1)[0]


def at_home(line: str) -> str:
    """`key=~/folder` with the home folder's path: no shell expands it there, and Hydra's grammar has no tilde."""
    return re.sub(r"(?<=[=,:[])~(?=/)", lambda _: str(Path.home()), line)


def without(lines: Iterable[str], keys: Collection[str]) -> list[str]:
    """The overrides of other keys."""
    return [line for line in lines if key_of(line) not in keys]


def by_key(lines: Iterable[str]) -> dict[str, Override]:
    """The overrides, parsed, by their keys.

    Raises:
        UserError: one that is none.
    """
    try:
        parsed = OverridesParser.create().parse_overrides(list(lines))
    except OverrideParseException as error:
        raise UserError(unreadable(error.override)) from error
    return {key_of(str(override.input_line)): override for override in parsed}


def is_readable(line: str) -> bool:
    """Whether Hydra's grammar can read an override."""
    try:
        OverridesParser.create().parse_overrides([line])
    except (OverrideParseException, RecursionError):  # brackets in brackets in brackets
        return False
    return True


def unreadable(line: str) -> str:
    """The sentence for an override that Hydra's grammar cannot read."""
    return f"'{line}' cannot be read; write key=value, and quote special characters: 'key=\"a,b\"'"
