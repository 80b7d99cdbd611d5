"""Texts whose lines begin with the name of a class and have corners in pixels: KITTI's, and the OIDv4 ToolKit's."""

import re
from collections.abc import Sequence

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images
from ssd.data.folder.records import Found, Notes
from ssd.data.folder.text_files import read_text
from ssd.errors import UserError

NAME = "text of KITTI or the OIDv4 ToolKit"

_NUMBER = r"-?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"
_NAME = r"(?P<name>[^\W\d]\S*(?: [^\W\d]\S*)*)"
# KITTI: truncated, occluded, alpha, left, top, right, bottom, seven numbers of a box in space, a score
_KITTI = re.compile(rf"{_NAME}(?: {_NUMBER}){{3}}(?P<corners>(?: {_NUMBER}){{4}})(?: {_NUMBER}){{7,8}}$")
_OIDV4 = re.compile(rf"{_NAME}(?P<corners>(?: {_NUMBER}){{4}})$")
_IGNORED = "DontCare"
_LARGEST = 2.0  # fractions of the image are no pixels


def find(listing: Listing) -> list[str]:
    """The texts that are an image's and begin with such a line."""
    images = Images(listing.images)
    found = []
    for file in listing.ending(".txt"):
        first = listing.head(file, 512).decode("utf-8", "replace").partition("\n")[0]
        row = _matched(first)
        if row is not None and max(_corners(row)) > _LARGEST and images.of_label(file) is not None:
            found.append(file)
    return found


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every text with its image; KITTI's regions of DontCare are left out.

    Raises:
        UserError: a line is something else.
    """
    entries = Entries(listing, notes)
    for file in files:
        path = listing.path(file)
        with notes.problems.trying("annotation-unreadable", path):
            lines = read_text(path).splitlines()
            picture = entries.picture_of_label(file, "")
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                with notes.problems.trying("object-malformed", path, number):
                    if (found := _matched(line)) is None:
                        raise UserError(
                            f"Line {number} of {path} is {line.strip()[:60]!r}: it must be the name of a class and "
                            "xmin, ymin, xmax and ymax in pixels, or KITTI's fifteen values."
                        )
                    if found["name"] == _IGNORED:
                        notes.add(f"regions are {_IGNORED}, and are left out", f"line {number} of {file}")
                        continue
                    xmin, ymin, xmax, ymax = _corners(found)
                    entries.add(picture, found["name"], (ymin, xmin, ymax, xmax), f"line {number}")
    return entries.found(NAME)


def _matched(line: str) -> re.Match[str] | None:
    plain = " ".join(line.split())
    return _KITTI.match(plain) or _OIDV4.match(plain)


def _corners(found: re.Match[str]) -> list[float]:
    return [float(number) for number in found["corners"].split()]
