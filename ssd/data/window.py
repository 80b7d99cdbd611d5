"""A window of an image: the geometry of an augmentation, chosen in full before any pixel is read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Colour = Callable[..., MatLike]  # (H, W, 3) uint8 RGB → the same, other colours


@dataclass(frozen=True)
class Window:
    """What is left of an image, and how it is to be resized and mirrored.

    Attributes:
        top, left, height, width: in the image's pixels; it may reach beyond the image.
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

    def show(self, image: MatLike, size: int, colours: Sequence[Colour]) -> NDArray[np.uint8]:
        """Reads it out of an image, once per pixel of the result.

        Args:
            image: (height, width, 3) uint8 RGB; stays as it is.
            size: S, side of the result in pixels.
            colours: applied to what shows the image, not to the fill.

        Returns:
            (S, S, 3) uint8 RGB.
        """
        height, width = image.shape[:2]
        rows, columns = _shown(self.top, self.height, height, size), _shown(self.left, self.width, width, size)
        if self._lies_in(height, width):
            part = image[self.top : self.top + self.height, self.left : self.left + self.width]
            result = cv2.resize(part, (size, size), interpolation=self.interpolation)
        elif self.interpolation == cv2.INTER_AREA:  # which no warp of OpenCV's has
            result = cv2.resize(self._with_border(image), (size, size), interpolation=cv2.INTER_AREA)
        else:
            result = self._warped(image, size)
        if rows.start < rows.stop and columns.start < columns.stop:
            shown = result[rows, columns]
            for change in colours:
                shown = change(shown)
            result[rows, columns] = shown
        if self.mirrored or self.upside_down:
            result = cv2.flip(result, {(True, False): 1, (False, True): 0, (True, True): -1}[self._flips])
        return np.asarray(result, np.uint8)

    @property
    def _flips(self) -> tuple[bool, bool]:
        return self.mirrored, self.upside_down

    def _lies_in(self, height: int, width: int) -> bool:
        return self.top >= 0 and self.left >= 0 and self.top + self.height <= height and self.left + self.width <= width

    def _with_border(self, image: MatLike) -> MatLike:
        """The window's own pixels, the fill among them."""
        height, width = image.shape[:2]
        bottom, right = self.top + self.height, self.left + self.width
        part = image[max(self.top, 0) : min(bottom, height), max(self.left, 0) : min(right, width)]
        above, before = max(-self.top, 0), max(-self.left, 0)
        below, behind = self.height - above - part.shape[0], self.width - before - part.shape[1]
        return cv2.copyMakeBorder(part, above, below, before, behind, cv2.BORDER_CONSTANT, value=self.fill)

    def _warped(self, image: MatLike, size: int) -> MatLike:
        """As `cv2.resize` samples it: at the centres of the result's pixels, or for nearest at their upper left."""
        scale_y, scale_x = self.height / size, self.width / size
        shift_y, shift_x = (0.5 * scale - 0.5 for scale in (scale_y, scale_x))
        if self.interpolation == cv2.INTER_NEAREST:
            shift_y = shift_x = _BELOW_HALF
        matrix = np.array([[scale_x, 0, shift_x + self.left], [0, scale_y, shift_y + self.top]])
        return cv2.warpAffine(
            image,
            matrix,
            (size, size),
            flags=self.interpolation | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=self.fill,
        )


_BELOW_HALF = -0.499  # a warp rounds to the nearest pixel, a resize takes the one that a position lies in


def _shown(start: int, length: int, available: int, size: int) -> slice:
    """Which of `size` pixels show the image, of a window from `start` on that is `length` long."""
    first, last = max(-start, 0), min(available - start, length)
    return slice(round(first * size / length), round(last * size / length))
