"""The CSV of TensorFlow's Object Detection tutorials: a row an object, corners in pixels."""

from collections.abc import Sequence

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.text_files import number_in, table_rows, tables_with

NAME = "TensorFlow Object Detection CSV"

_COLUMNS = ("filename", "class", "xmin", "ymin", "xmax", "ymax")


def find(listing: Listing) -> list[str]:
    """The tables of boxes."""
    return tables_with(listing, *_COLUMNS)


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that has a row; one of a row without class and box is background.

    Raises:
        UserError: a row has no number where one belongs.
    """
    entries = Entries(listing, notes)
    for file in files:
        path = listing.path(file)
        for line, row in table_rows(path):
            sides = [int(text) if (text := row.get(side, "")).isdecimal() else 0 for side in ("height", "width")]
            picture = entries.picture(row["filename"], file, (sides[0], sides[1]))
            if not any(row.get(column) for column in _COLUMNS[1:]):
                continue
            with notes.problems.trying("object-malformed", path, line):
                ymin, xmin, ymax, xmax = (number_in(row, key, path, line) for key in ("ymin", "xmin", "ymax", "xmax"))
                entries.add(picture, row.get("class", ""), (ymin, xmin, ymax, xmax), f"line {line}")
    return entries.found(f"{NAME} ({shown(files)})")
