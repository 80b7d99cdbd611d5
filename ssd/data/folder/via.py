"""VGG Image Annotator's JSON and CSV, versions 1 and 2: regions with attributes, one of which is the class."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.rle import Box
from ssd.data.folder.text_files import table_rows, tables_with
from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

NAME = "VGG VIA"

_WITHOUT_BOX = ("point", "line")
_NEEDED = "each image needs filename and regions, each of those shape_attributes and region_attributes"
_CLASS = ("class", "label", "name", "type", "category", "object", "class_name", "object_name")  # usual attributes
_ONLY = "object"  # what regions without any attribute are called


@dataclass(frozen=True)
class _Region:
    file: str
    image: str
    number: int
    shape: Mapping[str, Any]
    attributes: Mapping[str, Any]


def find(listing: Listing) -> list[str]:
    """Its JSON and CSV files."""
    tables = tables_with(listing, "region_shape_attributes")
    return tables + [file for file in listing.ending(".json") if _is_via(listing.head(file, 1 << 16))]


def _is_via(head: bytes) -> bool:
    return b'"_via_' in head or (b'"regions"' in head and b'"filename"' in head and b'"categories"' not in head)


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that is listed; one without regions is background.

    Raises:
        UserError: a region has no box or no class, or which attribute is the class cannot be told.
    """
    entries = Entries(listing, notes)
    regions: list[_Region] = []
    for file in files:
        read_file = _from_table if file.lower().endswith(".csv") else _from_json
        for image, found in read_file(listing, file, notes):
            entries.picture(image, file)
            regions += found
    key = _class_attribute(regions, listing, notes)
    for region in regions:
        with notes.problems.trying("object-malformed", listing.path(region.file), f"region {region.number}"):
            _add_region(entries, region, key, listing, notes)
    return entries.found(f"{NAME} ({shown(files)})")


def _add_region(entries: Entries, region: _Region, key: str | None, listing: Listing, notes: Notes) -> None:
    where = f"region {region.number} of {region.image}"
    if region.shape.get("name") in _WITHOUT_BOX:
        notes.add("regions are points or lines, which have no box, and are left out", where)
        return
    name = _ONLY if key is None else _value(region.attributes.get(key))
    if not name:
        raise UserError(f"The {where} in {listing.path(region.file)} has no {key}, which is its class: add it.")
    try:
        box = _box(region.shape)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"The {where} in {listing.path(region.file)} has no shape with numbers: correct it.") from None
    entries.add(entries.picture(region.image, region.file), name, box, where)


def _from_json(listing: Listing, file: str, notes: Notes) -> Iterator[tuple[str, list[_Region]]]:
    path, content = listing.path(file), read_json(listing.path(file))
    images = content.get("_via_img_metadata", content) if isinstance(content, dict) else None
    if not isinstance(images, dict):
        raise UserError(f"The file {path} is not one of VIA: {_NEEDED}.")
    for key, entry in images.items():
        with notes.problems.trying("object-malformed", path, str(key)[:80]), _of_via(f"Image {key!r:.80} in {path}"):
            listed = entry["regions"] or []
            numbered = enumerate(listed.values() if isinstance(listed, dict) else listed, start=1)
            name = str(entry["filename"])
            found = [
                _Region(file, name, number, region["shape_attributes"], region.get("region_attributes") or {})
                for number, region in numbered
            ]
            yield name, found


def _from_table(listing: Listing, file: str, notes: Notes) -> Iterator[tuple[str, list[_Region]]]:
    path = listing.path(file)
    for line, row in table_rows(path):
        with notes.problems.trying("object-malformed", path, line), _of_via(f"Line {line} of {path}"):
            shape = json.loads(row["region_shape_attributes"] or "{}")
            attributes = json.loads(row.get("region_attributes") or "{}")
            name = row["filename"]
            yield name, [_Region(file, name, line, shape, attributes)] if shape else []


@contextmanager
def _of_via(where: str) -> Iterator[None]:
    """Says what an entry lacks that is not as VIA writes it."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{where} is not one of VIA ({error!r:.80}): {_NEEDED}.") from None


def _class_attribute(regions: Sequence[_Region], listing: Listing, notes: Notes) -> str | None:
    """The attribute that is the class: the only one, or the one of a usual name; None where no region has any."""
    keys = dict.fromkeys(key for region in regions for key in region.attributes)
    if not keys:
        for region in regions:
            notes.add(f"regions have no attributes, and are all of one class, {_ONLY!r}", region.image)
        return None
    by_lower = {key.lower(): key for key in keys}
    usual = [by_lower[name] for name in _CLASS if name in by_lower]
    if len(keys) > 1 and not usual:
        raise UserError(
            f"The regions in {listing.path(regions[0].file)} have the attributes {', '.join(keys)}, none of which is "
            f"called {', '.join(_CLASS[:3])}: rename the one that is the class."
        )
    return usual[0] if usual else next(iter(keys))


def _value(value: Any) -> Any:
    """A choice of several is a mapping of what is ticked."""
    return next((name for name, ticked in value.items() if ticked), None) if isinstance(value, dict) else value


def _box(shape: Mapping[str, Any]) -> Box:
    """ymin, xmin, ymax, xmax of a shape."""
    if "all_points_x" in shape:
        xs, ys = [float(x) for x in shape["all_points_x"]], [float(y) for y in shape["all_points_y"]]
        return min(ys), min(xs), max(ys), max(xs)
    if "cx" in shape:
        rx = float(shape["rx"] if "rx" in shape else shape["r"])
        x, y, ry = float(shape["cx"]), float(shape["cy"]), float(shape.get("ry", rx))
        return y - ry, x - rx, y + ry, x + rx
    x, y, width, height = (float(shape[key]) for key in ("x", "y", "width", "height"))
    return y, x, y + height, x + width
