"""A window of an image: the geometry of an augmentation, chosen in full before any pixel is read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from ssd.data.formats import REDUCTIONS

Colour = Callable[..., MatLike]  # (H, W, 3) uint8 RGB → the same, other colours

Span = tuple[int, int]  # from the first pixel to before the last

_MARGIN = 4  # pixels that a resize looks at beyond a place: Lanczos' half width
_PLACES = 24  # where a cut may lie; the best of so many is a few hundredths of a pixel from the grid


@dataclass(frozen=True)
class Window:
    """What is left of an image, and how it is to be resized and mirrored.

    Attributes:
        top, left, height, width: in the image's pixels; it shows some of the image, and may reach beyond it.
        fill: RGB colour beyond the image.
        interpolation: OpenCV's code.
        mirrored: from left to right.
        upside_down: from top to bottom.
    """

    top: int
    left: int
    height: int
    width: int
    fill: tuple[float, ...] = ()
    interpolation: int = cv2.INTER_LINEAR
    mirrored: bool = False
    upside_down: bool = False

    def inside(self, top: int, left: int, height: int, width: int) -> "Window":
        """The window that lies at (top, left) in this one."""
        return replace(self, top=self.top + top, left=self.left + left, height=height, width=width)

    def reduction(self, size: int) -> int:
        """By how much an image's sides may be divided so that the window still has `size` pixels both ways."""
        return max(by for by in REDUCTIONS if by == 1 or min(self.height, self.width) >= by * size)

    def show(self, image: MatLike, size: int, colours: Sequence[Colour], reduction: int = 1) -> NDArray[np.uint8]:
        """Reads it out of an image, once per pixel of the result.

        Only what shows the image is resized, with a margin of the fill's colour; the rest is filled. So a window inside
        the image is `cv2.resize` of it, and one with a border that of the canvas, up to a shift of some hundredths of a
        pixel: a part of the canvas begins and ends at whole pixels, which the result's need not meet.

        Args:
            image: (height, width, 3) uint8 RGB; stays as it is.
            size: S, side of the result in pixels.
            colours: applied to what shows the image, not to the fill.
            reduction: the image's sides are those the window refers to, divided by this.

        Returns:
            (S, S, 3) uint8 RGB.
        """
        rows = _cut(self.top / reduction, self.height / reduction, image.shape[0], size)
        columns = _cut(self.left / reduction, self.width / reduction, image.shape[1], size)
        part = self._spread(image, rows.source, columns.source)
        part = _resized(part, _length(rows.target), _length(columns.target), self.interpolation)
        result = self._spread(part, _seen_from(rows.target, size), _seen_from(columns.target, size))
        if colours and result[rows.shown, columns.shown].size:  # less than half a pixel may be seen
            shown = result[rows.shown, columns.shown]
            for change in colours:
                shown = change(shown)
            result[rows.shown, columns.shown] = shown
        if self.mirrored or self.upside_down:
            result = cv2.flip(result, {(True, False): 1, (False, True): 0, (True, True): -1}[self._flips])
        return np.asarray(result, np.uint8)

    @property
    def _flips(self) -> tuple[bool, bool]:
        return self.mirrored, self.upside_down

    def _spread(self, image: MatLike, rows: Span, columns: Span) -> MatLike:
        """What lies there of an image and of the fill around it."""
        (top, bottom), (left, right) = rows, columns
        height, width = image.shape[:2]
        part = image[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        border = max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)
        if not any(border):
            return part
        kind = cv2.BORDER_CONSTANT if self.fill else cv2.BORDER_REPLICATE
        return cv2.copyMakeBorder(part, *border, kind, value=self.fill)


class _Cut(NamedTuple):
    """Along one axis: which pixels are resized, which of the result they become (both may lie beyond its ends), and
    which of the result show the image."""

    source: Span
    target: Span
    shown: slice


def _cut(start: float, length: float, available: int, size: int) -> _Cut:
    """The cut for a window from `start` on that is `length` long, of an image of `available` pixels, made `size` long.

    It ends where the window or the image with its margin does, or somewhat later, where a whole pixel begins.
    """
    scale = length / size
    first, last = max(-start, 0), min(available - start, length)  # of the window's pixels, that show the image
    begin = max(math.floor((first - _MARGIN) / scale), 0) if first else 0
    end = min(math.ceil((last + _MARGIN) / scale), size) if last < length else size

    places = max(_PLACES, math.ceil(1 / scale))
    target = (
        _on_grid(start, scale, range(begin, begin - places, -1)),
        _on_grid(start, scale, range(end, end + places)),
    )
    source = round(start + target[0] * scale), round(start + target[1] * scale)
    return _Cut(source, target, slice(round(first / scale), round(last / scale)))


def _on_grid(start: float, scale: float, places: range) -> int:
    """The first of some places of the result that lies nearest to where a pixel of the image begins."""
    off = np.array(places) * scale + start
    off -= np.rint(off)
    return places[int(np.abs(off).round(6).argmin())]


def _length(span: Span) -> int:
    return span[1] - span[0]


def _seen_from(span: Span, size: int) -> Span:
    """Where [0, size) lies for somebody who stands at the span's start."""
    return -span[0], size - span[0]


def _resized(image: MatLike, height: int, width: int, interpolation: int) -> MatLike:
    """`cv2.resize`, in float32 where that is OpenCV's faster way: by a third for Lanczos, by half for areas."""
    if interpolation not in (cv2.INTER_LANCZOS4, cv2.INTER_AREA):
        return cv2.resize(image, (width, height), interpolation=interpolation)
    values = cv2.resize(image.astype(np.float32), (width, height), interpolation=interpolation)
    return cv2.add(values, _NOTHING, dtype=cv2.CV_8U)  # rounds and clips


_NOTHING = np.zeros(4)
