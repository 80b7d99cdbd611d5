"""CVAT's own XML of images ("CVAT for images 1.1"): one file, an element an image, corners in pixels."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from math import cos, radians, sin

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.rle import Box
from ssd.errors import UserError

NAME = "CVAT XML"

_ROOT = re.compile(rb"<annotations[\s>]")
_WITHOUT_BOX = ("polyline", "points", "skeleton", "cuboid", "tag")


def find(listing: Listing) -> list[str]:
    """The XML files with images; those of videos have tracks instead."""
    files = [file for file in listing.ending(".xml") if _ROOT.search(listing.head(file))]
    return [file for file in files if listing.holds(file, b"<image ")]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every image that is listed; one without shapes is background.

    Raises:
        UserError: a file is no XML, or a shape has no label or corners.
    """
    entries = Entries(listing, notes)
    for file in files:
        path = listing.path(file)
        try:
            for _, element in ElementTree.iterparse(path):
                if element.tag == "image":
                    _add_image(entries, element, listing, file, notes)
                    element.clear()
        except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
            raise UserError(f"The annotations {path} are not readable XML ({error}): export them again.") from None
    return entries.found(f"{NAME} ({shown(files)})")


def _add_image(entries: Entries, element: ElementTree.Element, listing: Listing, file: str, notes: Notes) -> None:
    name, path = element.get("name", ""), listing.path(file)
    height, width = (int(text) if (text := element.get(side, "")).isdecimal() else 0 for side in ("height", "width"))
    picture = entries.picture(name, file, (height, width), element.get("subset", ""))
    for number, shape in enumerate(element, start=1):
        where = f"shape {number} of {name}"
        if shape.tag in _WITHOUT_BOX:
            notes.add("shapes are points, lines or tags, which have no box, and are left out", where)
            continue
        with notes.problems.trying("object-malformed", path, where):
            try:
                box = _box(shape)
            except (TypeError, ValueError) as error:
                raise UserError(f"The {where} in {path} has no corners ({error}): correct it.") from None
            entries.add(picture, shape.get("label", ""), box, where)


def _box(shape: ElementTree.Element) -> Box:
    """ymin, xmin, ymax, xmax of a box, which may be turned about its centre, an ellipse, a mask or points."""

    def number(key: str) -> float:
        return float(shape.get(key, ""))

    if shape.tag == "ellipse":
        x, y, half_width, half_height = (number(key) for key in ("cx", "cy", "rx", "ry"))
    elif shape.tag in ("box", "mask"):
        if shape.tag == "box":
            left, top, right, bottom = (number(key) for key in ("xtl", "ytl", "xbr", "ybr"))
        else:
            left, top = number("left"), number("top")
            right, bottom = left + number("width"), top + number("height")
        if not shape.get("rotation"):
            return top, left, bottom, right
        x, y, half_width, half_height = (left + right) / 2, (top + bottom) / 2, (right - left) / 2, (bottom - top) / 2
        angle = radians(number("rotation"))
        half_width, half_height = (
            half_width * abs(cos(angle)) + half_height * abs(sin(angle)),
            half_width * abs(sin(angle)) + half_height * abs(cos(angle)),
        )
    else:
        xs, ys = zip(*(map(float, point.split(",")) for point in shape.get("points", "").split(";")), strict=True)
        return min(ys), min(xs), max(ys), max(xs)
    return y - half_height, x - half_width, y + half_height, x + half_width
