"""The border between a format's boxes in pixels and this project's annotations: checks, clipping, normalising."""

import logging
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.annotations import Annotations
from ssd.data.problems import Problems
from ssd.errors import UserError

log = logging.getLogger(__name__)

# Pixels: what float32 and the arithmetic of tools put outside an image is not worth a warning.
_ROUNDING = 0.01


@dataclass
class Objects:
    """All objects of a split as columns of one length, before any check.

    `add` appends one object, `extend` many.

    Attributes:
        image: row of the image the object is in; ascending order is not needed.
        box: four numbers for each object: ymin, xmin, ymax, xmax in continuous pixels: the first pixel spans 0 to 1.
        area: in pixels; NaN means the area of the box.
    """

    image: "array[int]" = field(default_factory=lambda: array("q"))
    box: "array[float]" = field(default_factory=lambda: array("d"))
    label: "array[int]" = field(default_factory=lambda: array("q"))
    difficult: "array[int]" = field(default_factory=lambda: array("b"))
    crowd: "array[int]" = field(default_factory=lambda: array("b"))
    area: "array[float]" = field(default_factory=lambda: array("d"))

    def add(
        self,
        image: int,
        box: tuple[float, float, float, float],
        label: int,
        difficult: bool = False,
        crowd: bool = False,
        area: float = float("nan"),
    ) -> None:
        """Appends one object."""
        self.image.append(image)
        self.box.extend(box)
        self.label.append(label)
        self.difficult.append(bool(difficult))
        self.crowd.append(bool(crowd))
        self.area.append(area)

    def extend(self, image: Any, box: Any, label: Any, crowd: Any, area: Any) -> None:
        """Appends N objects that are not difficult: arrays of N numbers, and (N, 4) boxes."""
        columns: list[Any] = [self.image, self.box, self.label, self.crowd, self.area]
        kinds = (np.int64, np.float64, np.int64, np.int8, np.float64)
        for column, values, kind in zip(columns, (image, box, label, crowd, area), kinds, strict=True):
            column.frombytes(np.asarray(values, kind).tobytes())
        self.difficult.frombytes(bytes(len(image)))


def build_annotations(
    ids: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    objects: Objects,
    describe: Callable[[int], str],
    split: str,
    problems: Problems | None = None,
    place: Callable[[int], tuple[str | Path, int | str]] = lambda i: ("", i + 1),
) -> Annotations:
    """Checks all boxes of a split, clips them to their images, normalises them and sorts them by image.

    Args:
        ids: names of the images; two images of the same id are refused.
        sizes: height and width of each image in pixels.
        objects: every object of the split.
        describe: names object `i` to the user: file, object, class.
        split: names the split in the warning.
        problems: takes what is wrong with boxes; where it skips, such objects are left out.
        place: file and number of object `i`, for `problems`.

    Returns:
        One annotation per image, in the order of `ids`; objects keep their order within an image.

    Raises:
        UserError: a box is not a number, inverted or empty, or lies entirely outside its image, and `problems` does
            not skip.
    """
    problems = Problems() if problems is None else problems
    _refuse_duplicates(ids, split)
    image = np.asarray(objects.image, np.int64)
    pixels = np.asarray(objects.box, np.float64).reshape(-1, 4)
    limits = np.tile(np.asarray(sizes, np.float64).reshape(-1, 2)[image], 2)
    check = _Check(pixels, describe, problems, place)
    boxes, clipped = _clip_and_normalise(pixels, limits, check)
    clipped &= check.sound
    for i in np.flatnonzero(clipped).tolist() if problems.skips else ():
        problems.mention("box-clipped", f"{check.say(i, 'reaches outside its image and is clipped to it')}.", *place(i))
    if clipped.any():
        log.warning(
            "%s: %d of %d boxes reach outside their image and are clipped to it; the first is %s.",
            *(split, int(clipped.sum()), len(clipped), describe(int(np.flatnonzero(clipped)[0]))),
        )
    image, boxes, limits = image[check.sound], boxes[check.sound], limits[check.sound]
    labels = np.asarray(objects.label, np.int32)[check.sound]
    difficult = np.asarray(objects.difficult, np.bool_)[check.sound]
    crowd = np.asarray(objects.crowd, np.bool_)[check.sound]
    given = np.asarray(objects.area, np.float64)[check.sound]
    sides = (boxes[:, 2:] - boxes[:, :2]) * limits[:, 2:]
    areas = np.where(np.isnan(given), sides.prod(axis=1), given).astype(np.float32)

    order = np.argsort(image, kind="stable")
    starts = np.searchsorted(image[order], np.arange(len(ids) + 1))
    return Annotations(
        ids,
        np.asarray(sizes, np.int32).reshape(-1, 2),
        starts,
        boxes.astype(np.float32)[order],
        labels[order],
        difficult[order],
        crowd[order],
        areas[order],
    )


def _clip_and_normalise(
    pixels: NDArray[np.float64], limits: NDArray[np.float64], check: "_Check"
) -> tuple[NDArray[np.float64], Any]:
    """(N, 4) pixels and image sizes (height, width, height, width) → normalised boxes and which ones were clipped."""
    check.refuse("box-not-finite", ~np.isfinite(pixels).all(axis=1), "has a coordinate that is not a finite number")
    sides = pixels[:, 2:] - pixels[:, :2]
    wrong = "is inverted or has no area: its maximum must be larger than its minimum"
    check.refuse("box-inverted", (sides <= 0).any(axis=1), wrong)
    inside = np.clip(pixels, 0.0, limits)
    boxes = inside / limits
    # Asked of the float32 values that are kept, so that every annotation has positive sides.
    narrow = boxes.astype(np.float32)
    outside = (narrow[:, 2:] <= narrow[:, :2]).any(axis=1)
    check.refuse("box-outside", outside, "lies outside its image")
    return boxes, (np.abs(inside - pixels) > _ROUNDING).any(axis=1)


class _Check:
    """Boxes that pass one check after the other.

    Attributes:
        sound: (N,) bool, those that none has refused; all, unless the problems are to be skipped.
    """

    def __init__(
        self,
        pixels: NDArray[np.float64],
        describe: Callable[[int], str],
        problems: Problems,
        place: Callable[[int], tuple[str | Path, int | str]],
    ) -> None:
        self.sound = np.ones(len(pixels), np.bool_)
        self._pixels, self._describe, self._problems, self._place = pixels, describe, problems, place

    def refuse(self, kind: str, wrong: Any, what: str) -> None:
        """Raises a UserError that names the first wrong box and counts the others, or notes each of them."""
        rows = np.flatnonzero(wrong & self.sound).tolist()
        for row in rows:
            more = f" (and {len(rows) - 1} more like it)" if len(rows) > 1 and not self._problems.skips else ""
            error = UserError(f"{self.say(row, what + more)}; correct or remove it in the annotations.")
            self._problems.leave_out(kind, error, *self._place(row))
        self.sound[rows] = False

    def say(self, row: int, what: str) -> str:
        """A sentence without its end on the box of an object."""
        ymin, xmin, ymax, xmax = self._pixels[row]
        return (
            f"The box of {self._describe(row)} {what}: x {xmin:g} to {xmax:g}, y {ymin:g} to {ymax:g}, in pixels from "
            "the image's corner"
        )


def _refuse_duplicates(ids: Sequence[str], split: str) -> None:
    if len(set(ids)) == len(ids):
        return
    seen: set[str] = set()
    twice = next(i for i in ids if i in seen or seen.add(i))  # type: ignore[func-returns-value]
    raise UserError(f"{split} lists the image {twice} twice: keep it once.")


def warn_of_empty(split: str, prefix: str, boxes: Sequence[object]) -> None:
    """Counts boxes without width or height, which no detector can find, in one warning that names the first five."""
    if boxes:
        shown = prefix + ", ".join(map(str, boxes[:5])) + (", ..." if len(boxes) > 5 else "")
        log.warning("%s: %d boxes without width or height are left out: %s.", split, len(boxes), shown)
