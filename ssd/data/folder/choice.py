"""Which of the splits that were found are trained and validated on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ssd.errors import UserError, nearest

REST = "rest"  # pictures in no split


@dataclass(frozen=True)
class Choice:
    """Rows of pictures.

    Attributes:
        train_name, val_name: of the splits, as they were found.
        train: rows to train on.
        val: rows to validate on; None where that part is yet to be made, out of `train`.
        unused: other splits, with how many pictures they have.
    """

    train_name: str
    train: Sequence[int]
    val_name: str
    val: Sequence[int] | None
    unused: Mapping[str, int]


def all_of(splits: Mapping[str, Sequence[int]], count: int) -> dict[str, Sequence[int]]:
    """The splits that have pictures, and the rest of `count` pictures as one of its own."""
    named = {name: rows for name, rows in splits.items() if rows}
    inside = {row for rows in named.values() for row in rows}
    if rest := [row for row in range(count) if row not in inside]:
        named[REST] = rest
    return named


def choose(splits: Mapping[str, Sequence[int]], count: int, train: str | None, val: str | None, data: str) -> Choice:
    """Chooses, where the user does not, `train` and `val`, of which `trainval` and `test` can take the place.

    Args:
        splits: that were found, rows by name.
        count: of all pictures.
        train, val: names of splits, several with `+`; None: to be chosen.
        data: names the data set in messages.

    Raises:
        UserError: there is no such split, or none that can be trained on.
    """
    named = all_of(splits, count)
    if train is None and len(named) == 1 and val is None:
        return Choice("train", next(iter(named.values())), "val", None, {})
    train_name = train if train is not None else _usual(named, ("train", "trainval", REST), data)
    val_name = val or next(
        (name for name in ("val", "test") if name in named and name not in train_name.split("+")), None
    )
    train_rows = _rows(named, train_name, "train", data)
    val_rows = _rows(named, val_name, "val", data) if val_name is not None else None
    used = {*train_name.split("+"), *(val_name or "").split("+")}
    unused = {name: len(rows) for name, rows in named.items() if name not in used}
    return Choice(train_name, train_rows, val_name or "val", val_rows, unused)


def _usual(named: Mapping[str, Sequence[int]], usual: Sequence[str], data: str) -> str:
    for name in usual:
        if name in named:
            return name
    listed = ", ".join(f"{name} ({len(rows):,})" for name, rows in named.items())
    raise UserError(
        f"{data} has the splits {listed}, none of which is train: say dataset.train=... and dataset.val=..."
    )


def _rows(named: Mapping[str, Sequence[int]], wanted: str, key: str, data: str) -> list[int]:
    for name in wanted.split("+"):
        if name not in named:
            raise UserError(f"dataset.{key}={wanted}: {data} has no split {name}{nearest(name, named)}")
    return list(dict.fromkeys(row for name in wanted.split("+") for row in named[name]))
