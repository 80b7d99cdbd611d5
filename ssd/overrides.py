"""Lines of Hydra's override grammar, `key=value`, as text."""

from collections.abc import Collection, Iterable


def quote(value: str) -> str:
    """`value` as a quoted string: spaces, commas and equals signs keep their meaning."""
    return "'" + value.replace("'", "\\'") + "'"


def key_of(line: str) -> str:
    """The key of an override, without what is in front of it.

    >>> key_of("+trainer.depth=3")
    'trainer.depth'
    """
    return line.lstrip("+~").split("=", 1)[0]


def without(lines: Iterable[str], keys: Collection[str]) -> list[str]:
    """The overrides of other keys."""
    return [line for line in lines if key_of(line) not in keys]
