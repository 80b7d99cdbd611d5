"""Open Images CSV: a row an object, corners in fractions, classes by an identifier that another table names."""

from collections.abc import Sequence

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.text_files import number_in, table_rows, tables_with

NAME = "Open Images CSV"

_COLUMNS = ("imageid", "labelname", "xmin", "xmax", "ymin", "ymax")


def find(listing: Listing) -> list[str]:
    """The tables of boxes."""
    return tables_with(listing, *_COLUMNS)


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that has a row; groups in one box are crowds.

    Raises:
        UserError: a row has no number where one belongs.
    """
    names = _descriptions(listing, files)
    entries = Entries(listing, notes, fractions=True)
    for file in files:
        path = listing.path(file)
        for line, row in table_rows(path):
            picture = entries.picture(row.get("imageid", ""), file)
            if picture is None:
                continue
            label = row["labelname"]
            is_group = row.get("isgroupof") == "1"
            with notes.problems.trying("object-malformed", path, line):
                ymin, xmin, ymax, xmax = (number_in(row, key, path, line) for key in ("ymin", "xmin", "ymax", "xmax"))
                entries.add(picture, names.get(label, label), (ymin, xmin, ymax, xmax), f"line {line}", crowd=is_group)
    return entries.found(f"{NAME} ({shown(files)})")


def _descriptions(listing: Listing, files: Sequence[str]) -> dict[str, str]:
    """Identifier → name, of `class-descriptions*.csv` or `classes.csv`, which has a head in some releases."""
    names: dict[str, str] = {}
    for file in listing.ending(".csv"):
        if file in files or "class" not in file.rpartition("/")[2].lower():
            continue
        first = listing.head(file).decode("utf-8", "replace").partition("\n")[0].strip().split(",")
        names[first[0]] = first[-1].strip('"')
        for _, row in table_rows(listing.path(file)):
            cells = list(row.values())
            names[cells[0]] = cells[-1]
    return names
