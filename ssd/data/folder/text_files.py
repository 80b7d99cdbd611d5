"""Texts and tables as tools write them: UTF-8 with or without a mark, UTF-16, commas, semicolons or tabs."""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from ssd.data.folder.listing import Listing
from ssd.errors import UserError

_MOST_BYTES = 10_000_000  # of one image's labels, or of a list of names


def read_text(path: Path, most: int = _MOST_BYTES) -> str:
    """The content of a text file.

    Raises:
        UserError: it cannot be read, is larger than `most` bytes, or in another encoding.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise UserError(f"The file {path} cannot be read ({error.strerror}): check its rights.") from None
    if len(content) > most:
        raise UserError(f"The file {path} has more than {most / 1e6:.0f} MB, which no such file has: correct it.")
    return _decoded(content, path)


def _decoded(content: bytes, path: Path) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(f"The file {path} is not UTF-8 (byte {error.start + 1}): save it as text in UTF-8.") from None


def tables_with(listing: Listing, *columns: str) -> list[str]:
    """The tables of a folder that have these columns, in whatever order and capitals."""
    return [file for file in listing.ending(".csv") if set(columns) <= set(columns_of(listing.head(file)))]


def columns_of(head: bytes) -> list[str]:
    """The lower-case names of the columns, by the beginning of a file."""
    first = next(iter(head.decode("utf-8", "replace").splitlines()), "")
    return [column.strip().strip('"').lstrip("#").lower() for column in first.split(_separator(first))]


def table_rows(path: Path, columns: Sequence[str] | None = None) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a table with their line's number; its columns by their lower-case names.

    Args:
        path: of the table.
        columns: their names, where the table has none; None: its first line says them.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            encoding = "utf-16" if file.read(2) in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with path.open(encoding=encoding, newline="") as text:
            reader = csv.reader(text, delimiter=_separator(text.readline()))
            text.seek(0)
            names = columns or [column.strip().lstrip("#").lower() for column in next(reader, [])]
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield reader.line_num, dict(zip(names, (cell.strip() for cell in row), strict=False))
    except OSError as error:
        raise UserError(f"The table {path} cannot be read ({error.strerror}): check its rights.") from None
    except UnicodeDecodeError:
        raise UserError(f"The table {path} is not UTF-8: save it as CSV in UTF-8.") from None
    except csv.Error as error:
        raise UserError(f"The table {path} is not readable as CSV ({error}): correct it.") from None


def _separator(line: str) -> str:
    return max(",;\t", key=line.count)


def number_in(row: dict[str, str], column: str, path: Path, line: int) -> float:
    """A finite number of a table.

    Raises:
        UserError: it is none.
    """
    text = row.get(column, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"Line {line} of {path} has the {column} {text[:40]!r}: it must be a number; correct it.")
    return value
