"""Label Studio's own JSON and JSON-MIN: a list of tasks, corners in percent of the image."""

import re
from collections.abc import Iterator, Mapping, Sequence
from math import cos, radians, sin
from pathlib import Path
from typing import Any

from ssd.data.folder.entries import Entries
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Notes, shown
from ssd.data.folder.rle import Box
from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

NAME = "Label Studio JSON"

_IMAGE = re.compile(r"(?i)\.(jpe?g|png|bmp|webp|tiff?|gif)($|[?&])")
_WITHOUT_BOX = ("keypointlabels", "brushlabels", "videorectangle", "choices", "textarea", "rating", "number")


def find(listing: Listing) -> list[str]:
    """The lists of tasks that have shapes."""
    files = [file for file in listing.ending(".json") if listing.head(file, 64).lstrip().startswith(b"[")]
    keys = (b'"rectanglelabels"', b'"polygonlabels"', b'"ellipselabels"')
    return [file for file in files if any(listing.holds(file, key) for key in keys)]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every task; of several annotations of one the first that was not cancelled.

    Raises:
        UserError: a task has no image, or a shape no label or numbers.
    """
    entries = Entries(listing, notes, fractions=True)
    for file in files:
        path = listing.path(file)
        for position, task in enumerate(read_json(path), start=1):
            with notes.problems.trying("object-malformed", path, f"task {position}"):
                _add_task(entries, task, file, path, f"Task {position} of {path}", notes)
    return entries.found(f"{NAME} ({shown(files)})")


def _add_task(entries: Entries, task: Any, file: str, path: Path, where: str, notes: Notes) -> None:
    if not isinstance(task, dict) or (image := _image_of(task)) is None:
        raise UserError(f"{where} names no image: export the project again as COCO, or add the name.")
    picture = entries.picture(image, file)
    for number, (kind, shape) in enumerate(_shapes(task, image, notes), start=1):
        if kind in _WITHOUT_BOX:
            notes.add("results are points, brush strokes or choices, which have no box, and are left out", image)
            continue
        with notes.problems.trying("object-malformed", path, f"shape {number} of {image}"):
            try:
                label = next(labels[0] for key, labels in shape.items() if key.endswith("labels") and labels)
                box = _box(shape)
            except (KeyError, TypeError, ValueError, StopIteration) as error:
                raise UserError(
                    f"{where} has a shape {number} without a label or numbers ({error!r:.60}): add them, or remove it."
                ) from None
            entries.add(picture, label, box, f"shape {number} of {image}")


def _image_of(task: Mapping[str, Any]) -> str | None:
    """The address or name of a task's image: in `data`, of JSON-MIN in the task itself."""
    data = task.get("data", task)
    texts = [value for value in data.values() if isinstance(value, str)] if isinstance(data, dict) else []
    named = next((text for text in texts if _IMAGE.search(text)), None)
    return named or task.get("file_upload") or (data.get("image") if isinstance(data, dict) else None)


def _shapes(task: Mapping[str, Any], image: str, notes: Notes) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Kind and values of each shape."""
    if "annotations" not in task and "completions" not in task:  # JSON-MIN: lists of shapes beside the image
        for found in task.values():
            for shape in found if isinstance(found, list) else ():
                if isinstance(shape, dict):
                    yield next((key for key in shape if key.endswith("labels")), ""), shape
        return
    made = [
        found for found in task.get("annotations") or task.get("completions") or [] if not found.get("was_cancelled")
    ]
    if len(made) > 1:
        notes.add("tasks have several annotations, of which the first is read", image)
    for result in made[0].get("result") or [] if made else ():
        if result.get("type") != "relation":
            sides = {key: result.get(key) for key in ("original_width", "original_height")}
            yield str(result.get("type", "")), {**sides, **(result.get("value") or {})}


def _box(shape: Mapping[str, Any]) -> Box:
    """ymin, xmin, ymax, xmax as fractions; a rectangle is turned about its upper left corner, in pixels."""
    if "points" in shape:
        xs, ys = zip(*((float(x), float(y)) for x, y in shape["points"]), strict=True)
        return min(ys) / 100, min(xs) / 100, max(ys) / 100, max(xs) / 100
    x, y = float(shape["x"]), float(shape["y"])
    if "radiusX" in shape:
        rx, ry = float(shape["radiusX"]), float(shape["radiusY"])
        return (y - ry) / 100, (x - rx) / 100, (y + ry) / 100, (x + rx) / 100
    width, height, angle = float(shape["width"]), float(shape["height"]), radians(float(shape.get("rotation") or 0))
    aspect = float(shape.get("original_width") or 1) / float(shape.get("original_height") or 1)
    across, down = width * cos(angle), width * sin(angle) * aspect
    back, under = -height * sin(angle) / aspect, height * cos(angle)
    xs = x, x + across, x + back, x + across + back
    ys = y, y + down, y + under, y + down + under
    return min(ys) / 100, min(xs) / 100, max(ys) / 100, max(xs) / 100
