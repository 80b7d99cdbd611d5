"""Which settings differ between two sides."""

from collections.abc import Mapping, Sequence

# What changes no result, or says again what others say.
_SECTIONS = ("task", "tracking", "sweep", "hydra")
_RECIPE = "training.recipe."  # what it chose is among the settings
_KEYS = ("name", "start", "chosen", "resume", "resume_from", "allow_changes", "trust", "source")
ABSENT = "-"
_SHOWN = 4  # rows in a line

Row = dict[str, str]


def differing(name: str, a: Sequence[Mapping[str, str]], b: Sequence[Mapping[str, str]]) -> list[Row]:
    """Rows of what both sides have otherwise: the key, A and B.

    Args:
        name: of the first column.
        a, b: key → value, of each run of a side; of several the values are listed, each once.
    """
    keys = dict.fromkeys(key for values in (*a, *b) for key in values)
    rows = [{name: key, "A": _values(a, key), "B": _values(b, key)} for key in keys]
    return [row for row in rows if row["A"] != row["B"]]


def that_matter(settings: Mapping[str, str]) -> dict[str, str]:
    """A flat configuration without what changes no result."""
    return {key: value for key, value in settings.items() if not _is_left_out(key)}


def in_a_line(rows: Sequence[Row], name: str) -> str:
    """The first rows, `name` that of their first column; empty where there are none."""
    shown = [f"{row[name].removeprefix('versions.')} {row['A']} → {row['B']}" for row in rows[:_SHOWN]]
    more = [f"and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    return ", ".join([*shown, *more])


def _is_left_out(key: str) -> bool:
    section = key.partition(".")[0]
    return section in (*_SECTIONS, *_KEYS) or key.startswith(_RECIPE)


def _values(side: Sequence[Mapping[str, str]], key: str) -> str:
    return ", ".join(dict.fromkeys(values.get(key, ABSENT) for values in side))
