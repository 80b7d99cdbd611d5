"""VoTT's JSON: its export, one file of all assets, or a file an asset; corners in pixels."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

NAME = "VoTT JSON"


def find(listing: Listing) -> list[str]:
    """The exports, else the files of single assets, which lie in the folder that was annotated."""
    files = [file for file in listing.ending(".json") if listing.holds(file, b'"asset"', b'"regions"')]
    return [file for file in files if listing.holds(file, b'"assets"')] or files


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every asset with its image; a region of several tags is an object of each.

    Raises:
        UserError: a file is none of VoTT, or a region has no box.
    """
    entries = Entries(listing, notes)
    for file in files:
        path = listing.path(file)
        content = read_json(path)
        assets = content.get("assets", {"": content}) if isinstance(content, dict) else None
        if not isinstance(assets, dict):
            raise UserError(f"The file {path} is not one of VoTT: it needs assets; export it again.")
        for key, asset in assets.items():
            with notes.problems.trying("object-malformed", path, key):
                _add_asset(entries, asset, file, path, f"Asset {key} of {path}", notes)
    return entries.found(f"{NAME} ({shown(files)})")


def _add_asset(entries: Entries, asset: Any, file: str, path: Path, where: str, notes: Notes) -> None:
    try:
        about, regions = asset["asset"], asset["regions"]
        name, size = str(about["name"]), about.get("size") or {}
        stated = int(size.get("height") or 0), int(size.get("width") or 0)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(
            f"{where} is not one of VoTT ({error!r:.80}): it needs asset, with a name, and regions."
        ) from None
    picture = entries.picture(name, file, stated)
    for number, region in enumerate(regions, start=1):
        with notes.problems.trying("object-malformed", path, f"region {number} of {name}"):
            try:
                box = region["boundingBox"]
                left, top, width, height = (float(box[key]) for key in ("left", "top", "width", "height"))
                tags = [str(tag) for tag in region["tags"]]
            except (KeyError, TypeError, ValueError) as error:
                raise UserError(
                    f"Region {number} of {name} in {path} is not one of VoTT ({error!r:.80}): it needs tags and a "
                    "boundingBox of left, top, width and height."
                ) from None
            if not tags:
                raise UserError(f"Region {number} of {name} in {path} has no tag, which is its class: add it.")
            for tag in tags:
                entries.add(picture, tag, (top, left, top + height, left + width), f"region {number} of {name}")
