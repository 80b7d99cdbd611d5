"""results.csv: one row for every epoch of a training."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from ssd.runs.files import write_text

COLUMNS = (
    "epoch",
    "step",
    "minutes",
    "lr",
    "train/loss",
    "train/loss_cls",
    "train/loss_box",
    "train/images_per_second",
    "val/loss",
    "val/loss_cls",
    "val/loss_box",
    "val/mAP50",
    "val/mAP50_07",
    "val/mAP",
)


def append_result(path: Path, row: Mapping[str, float]) -> None:
    """Adds one epoch to results.csv; the row of the same epoch, if there is one, is replaced.

    Args:
        path: of results.csv; made with its header on the first call.
        row: values for some of `COLUMNS`, `epoch` among them; what is not given stays empty (not validated then).

    Raises:
        ValueError: a key that is not in `COLUMNS`, or no `epoch`.
    """
    unknown = set(row) - set(COLUMNS)
    if unknown or "epoch" not in row:
        raise ValueError(f"a row of results.csv needs epoch and only {', '.join(COLUMNS)}; got {', '.join(row)}")
    _write_results(path, [*(old for old in read_results(path) if old["epoch"] != row["epoch"]), row])


def as_written(row: Mapping[str, float]) -> dict[str, float]:
    """A row as `read_results` will give it back: the columns it has, with the digits that are kept."""
    return {name: float(_number(row[name])) for name in COLUMNS if name in row}


def truncate_results(path: Path, epoch: int) -> None:
    """Drops the rows after `epoch`: what a stopped run wrote later than the checkpoint it is resumed from."""
    if path.exists():
        _write_results(path, [row for row in read_results(path) if row["epoch"] <= epoch])


def read_results(path: Path) -> list[dict[str, float]]:
    """The rows of results.csv in order, each without its empty fields; none if the file does not exist."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]


def _write_results(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_number(row[key]) if key in row else "" for key in COLUMNS] for row in rows)
    write_text(path, text.getvalue())


def _number(value: float) -> str:
    """At most 6 significant digits; whole numbers in full."""
    return str(int(value)) if float(value).is_integer() else f"{float(value):.6g}"
