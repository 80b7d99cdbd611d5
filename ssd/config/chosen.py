"""What `training=auto` chose, as `chosen` of the configuration has it."""

from collections.abc import Iterable
from dataclasses import dataclass

from ssd.config.overrides import key_of

SAID = ("start", "chosen")  # keys that the program itself sets, to tell what it chose
_AS = ", as "


@dataclass(frozen=True)
class Choice:
    """Overrides that belong together, and why they were chosen.

    >>> str(Choice(("a=1", "b.c=2"), "nothing else fits"))
    'a=1 b.c=2, as nothing else fits'
    """

    overrides: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{' '.join(self.overrides)}{_AS}{self.why}"


def chosen_keys(chosen: Iterable[str]) -> set[str]:
    """The keys that were set by it.

    >>> sorted(chosen_keys(["a=1 b.c=2, as nothing else fits"]))
    ['a', 'b.c']
    """
    return {key_of(line) for text in chosen for line in text.partition(_AS)[0].split()}
