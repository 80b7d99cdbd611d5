"""CSV with a row an object and corners in pixels or fractions, as TensorFlow's tutorials, VoTT and Kaggle have it.

Columns are found by their usual names; keras-retinanet's tables have none, and a fixed order.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.rle import Box
from ssd.data.folder.text_files import columns_of, number_in, table_rows
from ssd.errors import UserError

NAME = "CSV of boxes"

_FILE = ("filename", "file_name", "file", "image", "image_name", "image_path", "img_path", "path", "image_id", "img")
_CLASS = ("class", "label", "class_name", "label_name", "category", "category_name", "name")
_CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
)
_BBOX = "bbox"  # x, y, width, height in one cell, as of Kaggle's wheat heads
_PLAIN = ("filename", *_CORNERS[0], "class")  # the order of tables without names of columns
_PLAIN_ROW = re.compile(r"(?i)\"?[^,]+\.(jpe?g|png|bmp|webp|tiff?)\"?((,-?\d+(\.\d+)?){4},[^,]+|,,,,,)\s*$")
_NUMBER = re.compile(r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")
_ONLY = "object"  # what objects are called where no column says a class


@dataclass(frozen=True)
class _Columns:
    """Which column is what; `corners` is empty where `bbox` has them."""

    file: str
    name: str | None
    corners: tuple[str, ...]
    has_head: bool = True


@dataclass(frozen=True)
class _Row:
    """One row: its image, that one's stated height and width, and the object, if it has one."""

    line: int
    image: str
    stated: tuple[int, int]
    name: str = ""
    box: Box | None = None


def find(listing: Listing) -> list[str]:
    """The tables of boxes."""
    return [file for file in listing.ending(".csv") if _columns(listing, file) is not None]


def _columns(listing: Listing, file: str) -> _Columns | None:
    head = listing.head(file)
    named = columns_of(head)
    image = next((name for name in _FILE if name in named), None)
    corners = next((corners for corners in _CORNERS if set(corners) <= set(named)), ())
    if image is not None and (corners or _BBOX in named):
        return _Columns(image, next((name for name in _CLASS if name in named and name != image), None), corners)
    first = head.decode("utf-8", "replace").partition("\n")[0]
    return _Columns(_PLAIN[0], _PLAIN[-1], _PLAIN[1:5], has_head=False) if _PLAIN_ROW.match(first) else None


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that has a row; one of a row without class and box is background.

    Where no number of any table is larger than 1, corners are fractions of the image.

    Raises:
        UserError: a row has no number where one belongs.
    """
    tables = {file: _rows(listing, file, notes) for file in files}
    largest = max((max(row.box) for rows in tables.values() for row in rows if row.box is not None), default=2.0)
    entries = Entries(listing, notes, fractions=largest <= 1)
    for file, rows in tables.items():
        path = listing.path(file)
        for row in rows:
            picture = entries.picture(row.image, file, row.stated)
            if row.box is not None:
                with notes.problems.trying("object-malformed", path, row.line):
                    entries.add(picture, row.name, row.box, f"line {row.line}")
    return entries.found(f"{NAME} ({shown(files)})")


def _rows(listing: Listing, file: str, notes: Notes) -> list[_Row]:
    columns, path = _columns(listing, file), listing.path(file)
    if columns is None:
        raise UserError(f"The table {path} has no columns of an image and its boxes any more: put it back as it was.")
    if columns.name is None:
        notes.add(f"tables have no column of a class, and their objects are of one, {_ONLY!r}", file)
    rows = []
    for line, row in table_rows(path, None if columns.has_head else _PLAIN):
        with notes.problems.trying("object-malformed", path, line):
            if not (image := row.get(columns.file, "")):
                raise UserError(f"Line {line} of {path} has no {columns.file}, which names its image: add it.")
            sides = [int(text) if (text := row.get(side, "")).isdecimal() else 0 for side in ("height", "width")]
            rows.append(_Row(line, image, (sides[0], sides[1])))
            if any(row.get(column) for column in (columns.name, *(columns.corners or (_BBOX,))) if column):
                name = row.get(columns.name, "") if columns.name else _ONLY
                rows[-1] = replace(rows[-1], name=name, box=_box(row, columns, path, line))
    return rows


def _box(row: dict[str, str], columns: _Columns, path: Path, line: int) -> Box:
    if columns.corners:
        xmin, ymin, xmax, ymax = (number_in(row, key, path, line) for key in columns.corners)
        return ymin, xmin, ymax, xmax
    cell = row.get(_BBOX, "")
    numbers = [float(text) for text in islice(_NUMBER.findall(cell), 5)]
    if len(numbers) != 4:
        raise UserError(f"Line {line} of {path} has the bbox {cell[:60]!r}: it must be x, y, width and height.")
    x, y, width, height = numbers
    return y, x, y + height, x + width
