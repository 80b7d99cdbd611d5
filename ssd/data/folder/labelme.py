"""LabelMe JSON: a file an image, with shapes whose points are in pixels, and often the image itself in base64."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import hypot
from pathlib import Path
from typing import Any

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images
from ssd.data.folder.records import Found, Notes
from ssd.data.folder.rle import Box
from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

NAME = "LabelMe JSON"

_INSIDE = b'"imageData"'
_WITHOUT_BOX = ("point", "points", "line", "linestrip")


def find(listing: Listing) -> list[str]:
    """The files with `shapes`, and a name or a size of their image."""
    files = [file for file in listing.ending(".json") if b'"shapes"' in listing.head(file, 1 << 16)]
    return [file for file in files if any(listing.holds(file, key) for key in (b'"imagePath"', b'"imageHeight"'))]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every file with its image; the box of a shape is what is around its points.

    Where no image lies beside, those inside the files are taken.

    Raises:
        UserError: a shape has no label or no points.
    """
    images = Images(listing.images)
    if all(images.of_label(file) is None for file in files) and any(listing.holds(file, _INSIDE) for file in files):
        inside = replace(listing, files=tuple(f"{file[:-5]}.jpg" for file in files))  # as if they lay beside
        found = _read(inside, files, notes)
        paths = [listing.path(picture.source) for picture in found.pictures]
        return replace(found, what=f"{NAME} with the images inside", read=StoredImages(paths))
    return _read(listing, files, notes)


@dataclass(frozen=True)
class StoredImages:
    """Reads the image inside a LabelMe file: the `read` of a data set that has no other."""

    paths: Sequence[Path]

    def __call__(self, index: int) -> bytes:
        """Raises UserError where there is none, or it is damaged."""
        content = read_json(self.paths[index])
        try:
            return b64decode(content["imageData"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise UserError(
                f"The file {self.paths[index]} has no image in its imageData, and none beside: put it there."
            ) from None


def _read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    entries = Entries(listing, notes)
    for file in files:
        with notes.problems.trying("annotation-unreadable", listing.path(file)):
            _add_file(entries, listing, file, notes)
    return entries.found(NAME)


def _add_file(entries: Entries, listing: Listing, file: str, notes: Notes) -> None:
    content = read_json(listing.path(file))
    try:
        stated = int(content.get("imageHeight") or 0), int(content.get("imageWidth") or 0)
        objects = []
        for number, shape in enumerate(content["shapes"], start=1):
            kind = shape.get("shape_type") or "polygon"
            if kind in _WITHOUT_BOX:
                notes.add("shapes are points or lines, which have no box, and are left out", f"{number} of {file}")
                continue
            objects.append((shape["label"], _box(kind, shape["points"]), f"shape {number}"))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise UserError(
            f"The file {listing.path(file)} is not one of LabelMe ({error!r:.80}): each of its shapes needs a "
            "label and points of x and y."
        ) from None
    picture = entries.picture_of_label(file, str(content.get("imagePath") or ""), stated)
    for name, box, where in objects:
        with notes.problems.trying("object-malformed", listing.path(file), where):
            entries.add(picture, name, box, where)


def _box(kind: str, points: Sequence[Any]) -> Box:
    """ymin, xmin, ymax, xmax around points; a circle has its centre and a point on it."""
    xs, ys = zip(*((float(x), float(y)) for x, y in points), strict=True)
    if len(xs) < 2:
        raise ValueError("fewer than two points")
    if kind == "circle":
        radius = hypot(xs[1] - xs[0], ys[1] - ys[0])
        return ys[0] - radius, xs[0] - radius, ys[0] + radius, xs[0] + radius
    return min(ys), min(xs), max(ys), max(xs)
