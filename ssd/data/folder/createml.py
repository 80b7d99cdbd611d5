"""Apple's CreateML JSON: a list of images with labels and the centre, width and height of their boxes in pixels."""

import re
from collections.abc import Sequence
from typing import Any

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

NAME = "CreateML JSON"

_START = re.compile(rb"^\s*\[\s*\{")


def find(listing: Listing) -> list[str]:
    """The lists of images with coordinates."""
    return [file for file in listing.ending(".json") if _is_createml(listing.head(file, 1 << 16))]


def _is_createml(head: bytes) -> bool:
    is_label_studio = b'"data"' in head or re.search(rb'"\w+labels"', head) is not None
    return _START.match(head) is not None and b'"annotation' in head and b'"image' in head and not is_label_studio


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that is listed.

    Raises:
        UserError: an entry has no image, label or numbers of a box.
    """
    entries = Entries(listing, notes)
    for file in files:
        path = listing.path(file)
        for position, entry in enumerate(read_json(path), start=1):
            with notes.problems.trying("object-malformed", path, f"entry {position}"):
                _add_entry(entries, entry, file, f"Entry {position} of {path}")
    return entries.found(f"{NAME} ({shown(files)})")


def _add_entry(entries: Entries, entry: Any, file: str, where: str) -> None:
    try:
        name = entry.get("image") or entry["imagefilename"]
        objects = []
        for item in entry.get("annotations") or entry.get("annotation") or []:
            x, y, width, height = (float(item["coordinates"][key]) for key in ("x", "y", "width", "height"))
            objects.append((item["label"], (y - height / 2, x - width / 2, y + height / 2, x + width / 2)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{where} is not one of CreateML ({error!r:.80}): it needs image and annotations, each with label and "
            "coordinates of x, y, width and height."
        ) from None
    picture = entries.picture(str(name), file)
    for number, (label, box) in enumerate(objects, start=1):
        entries.add(picture, label, box, f"object {number} of {name}")
