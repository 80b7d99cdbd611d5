"""results.csv: one row for every epoch of a training; and history.csv, its copy with all that MLflow is told."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from ssd.errors import UserError
from ssd.runs.files import write_text
from ssd.runs.reading import read_text

_REMEDY = "remove it: a training that goes on makes it again"

COLUMNS = (
    "epoch",
    "step",
    "minutes",
    "lr",
    "train/loss",
    "train/loss_cls",
    "train/loss_box",
    "train/unmatched",
    "train/images_per_second",
    "train/waiting",
    "val/loss",
    "val/loss_cls",
    "val/loss_box",
    "val/mAP50",
    "val/mAP50_07",
    "val/mAP",
)


def as_written(row: Mapping[str, float]) -> dict[str, float]:
    """A row, `COLUMNS` first, as `readable_history` will give it back: with the digits that are kept."""
    names = [*(name for name in COLUMNS if name in row), *(name for name in row if name not in COLUMNS)]
    return {name: float(_number(row[name])) for name in names}


def read_results(path: Path) -> list[dict[str, float]]:
    """The rows of results.csv in order, each without its empty fields; none if the file does not exist.

    Raises:
        UserError: the file is damaged.
    """
    rows, problem = readable_results(path)
    if problem is not None:
        raise UserError(f"{problem}; {_REMEDY}")
    return rows


def readable_results(path: Path) -> tuple[list[dict[str, float]], str | None]:
    """The rows that can be read, and what is wrong with the file, naming it; None where nothing is."""
    return _readable(path, COLUMNS)


def readable_history(path: Path) -> list[dict[str, float]]:
    """The rows of history.csv that can be read, in which there may be other columns."""
    return _readable(path, None)[0]


def _readable(path: Path, columns: Collection[str] | None) -> tuple[list[dict[str, float]], str | None]:
    if not path.exists():
        return [], None
    try:
        text = read_text(path, _REMEDY)
    except UserError as error:
        return [], str(error).removesuffix(f"; {_REMEDY}")
    header, *lines = text.replace("\r\n", "\n").split("\n")
    names = header.split(",")
    if "epoch" not in names or (columns is not None and not set(names) <= set(columns)):
        return [], f"{path} cannot be read (its first line names no columns of a training)"
    rows: list[dict[str, float]] = []
    for number, line in enumerate(lines[:-1], start=2):
        row = _parsed(names, line)
        if row is None or row["epoch"] in (other["epoch"] for other in rows):
            return rows, f"{path} cannot be read beyond its line {number} (that is damaged)"
        rows.append(row)
    if lines[-1:] != [""]:
        return rows, f"{path} is cut short"
    return rows, None


def _parsed(names: Sequence[str], line: str) -> dict[str, float] | None:
    """One row; None where it is none."""
    values = line.split(",")
    try:
        row = {name: float(value) for name, value in zip(names, values, strict=True) if value}
    except ValueError:  # more or fewer values than columns, or one that is no number
        return None
    return row if row.get("epoch", 0) >= 1 and row["epoch"].is_integer() else None


def write_results(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes results.csv.

    Args:
        path: of the file.
        rows: values for some of `COLUMNS`, `epoch` among them; what is not given stays empty (not validated then).

    Raises:
        ValueError: a key that is not in `COLUMNS`, or no `epoch`.
    """
    for row in rows:
        if not {"epoch"} <= set(row) <= set(COLUMNS):
            raise ValueError(f"a row of results.csv needs epoch and only {', '.join(COLUMNS)}; got {', '.join(row)}")
    _write(path, COLUMNS, rows)


def write_history(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes history.csv, the rows with all that they have."""
    others = sorted({name for row in rows for name in row} - set(COLUMNS))
    _write(path, (*COLUMNS, *others), rows)


def _write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_number(row[key]) if key in row else "" for key in columns] for row in rows)
    write_text(path, text.getvalue())


def _number(value: float) -> str:
    """At most 6 significant digits; whole numbers in full."""
    return str(int(value)) if float(value).is_integer() else f"{float(value):.6g}"
