"""Lines of Hydra's override grammar, `key=value`, as text."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path


def quote(value: str) -> str:
    """`value` as a quoted string: spaces, commas and equals signs keep their meaning."""
    return "'" + value.replace("'", "\\'") + "'"


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
