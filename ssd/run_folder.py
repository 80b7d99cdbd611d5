"""The files of a run folder: results.csv, metrics.json, and Markdown tables.

Every file is written beside its name and moved into place, so that a run that is stopped never leaves half a file.
"""

import csv
import io
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RUN_ID_FILE = "mlflow_run.txt"  # in the folder of a run or a sweep: its run in MLflow

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


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file in one move: a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes indented JSON; numpy scalars become numbers, NaN and infinities null (JSON knows neither)."""
    write_text(path, json.dumps(_plain(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


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


def markdown_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A Markdown table with the first row's keys as header; floats with 3 decimals, None and NaN empty.

    Columns of numbers, `0.712 ± 0.013` among them, stand on the right.
    """
    if not rows:
        return ""
    head = list(rows[0])
    body = [[_cell(row.get(key)) for key in head] for row in rows]
    columns = [[cell for cell in column if cell] for column in zip(*body, strict=True)]
    numbers = [bool(cells) and all(re.fullmatch(r"-?[\d.]+( ± [\d.]+)?", cell) for cell in cells) for cells in columns]
    align = ["---:" if right else "---" for right in numbers]
    return "\n".join("| " + " | ".join(line) + " |" for line in [[_cell(key) for key in head], align, *body])


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = f"{value:.3f}" if isinstance(value, float) else str(value)
    return " ".join(text.replace("|", "\\|").split())
