"""TensorFlow Object Detection's TFRecords: images and objects in one file, corners in fractions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import split_of
from ssd.data.folder.records import Found, Item, Notes, Picture, shown
from ssd.data.folder.text_files import read_text
from ssd.data.folder.tf_example import StoredImages, records
from ssd.data.readers.names import check_class_names
from ssd.errors import UserError

NAME = "TFRecord"

_FILE = re.compile(r"(?i)\.(tf)?records?(-\d+-of-\d+)?$")
_MAP_ITEM = re.compile(r"item\s*\{(.*?)\}", re.DOTALL)
_BOX = "image/object/bbox/"


def find(listing: Listing) -> list[str]:
    """The files whose first record has objects."""
    files = [file for file in listing.files if _FILE.search(file)]
    return [file for file in files if b"image/object/" in listing.head(file, 1 << 21)]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every record; classes by their text, else by a label map (`*.pbtxt`).

    Raises:
        UserError: a file is damaged, or a record is no image with objects.
    """
    names = _label_map(listing)
    pictures: dict[str, Picture] = {}
    stored: list[tuple[int, int, int]] = []
    splits: dict[str, list[int]] = {}
    for number, file in enumerate(files):
        path, split = listing.path(file), split_of(file, is_annotation=True)
        with notes.problems.trying("annotation-unreadable", path):  # where it breaks off, what is before that is taken
            for index, offset, length, found in records(path, notes.problems):
                where = f"Record {index} in {path}"
                with notes.problems.trying("object-malformed", path, f"record {index}"):
                    if not found.get("image/encoded"):
                        raise UserError(f"{where} has no image/encoded: it is not one of the Object Detection API.")
                    items = _items(found, names, where)
                    place = f"{file}/{_text(found, 'image/filename') or index}"
                    place = f"{place}#{index}" if place in pictures else place
                    if split is not None:
                        splits.setdefault(split, []).append(len(pictures))
                    pictures[place] = Picture(place, file, items, fractions=True)
                    stored.append((number, offset, length))
    read_images = StoredImages([listing.path(file) for file in files], stored)
    return Found(f"{NAME} ({shown(files)})", list(pictures.values()), splits, read=read_images)


def _text(found: Mapping[str, Sequence[Any]], key: str) -> str:
    value = (found.get(key) or [b""])[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _items(found: Mapping[str, Sequence[Any]], names: Mapping[int, str], where: str) -> list[Item]:
    corners = [list(map(float, found.get(f"{_BOX}{key}", []))) for key in ("ymin", "xmin", "ymax", "xmax")]
    count = len(corners[0])
    texts, labels = found.get("image/object/class/text", []), found.get("image/object/class/label", [])
    if any(len(values) != count for values in corners) or count not in (len(texts), len(labels)):
        raise UserError(f"{where} has lists of objects that are not of one length: make it again.")
    if len(texts) != count and (unknown := [label for label in labels if label not in names]):
        raise UserError(
            f"{where} has the class {unknown[0]}, and no name of it: put its label_map.pbtxt beside the file."
        )
    classes = [text.decode("utf-8", "replace") for text in texts] if len(texts) == count else [names[i] for i in labels]
    check_class_names(classes, where)
    flags = []
    for key in ("image/object/difficult", "image/object/is_crowd"):
        values = found.get(key, [])
        flags.append([bool(value) for value in values] if len(values) == count else [False] * count)
    rows = zip(classes, zip(*corners, strict=True), *flags, strict=True)
    return [
        Item(name, box, f"object {number}", difficult, crowd)  # type: ignore[arg-type]
        for number, (name, box, difficult, crowd) in enumerate(rows, start=1)
    ]


def _label_map(listing: Listing) -> dict[int, str]:
    """Number → name, of the label maps there are."""
    names: dict[int, str] = {}
    for file in listing.ending(".pbtxt"):
        for item in _MAP_ITEM.findall(read_text(listing.path(file))):
            number = re.search(r"\bid\s*:\s*(\d+)", item)
            name = re.search(r"\b(?:display_)?name\s*:\s*(?:\"([^\"]*)\"|'([^']*)')", item)
            if number and name:
                names[int(number[1])] = name[1] or name[2]
    return names
