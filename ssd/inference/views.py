"""Looking at an image more than once: mirrored, and in tiles; and making one result of what was seen.

Tiles are those of SAHI (arXiv 2202.06934, section 3): squares of one size that overlap, the last of a row or column
moved back to end with the image, and beside them the image as a whole, for what is larger than a tile. All that was
found is put together by non-maximum suppression per class. Where there are tiles it compares the intersection with the
smaller of the two boxes, as SAHI's own does: of an object on a tile's edge one tile sees only a part, which lies inside
the box of the whole and has a small IoU with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections
from ssd.inference.network import Network

SMALLER_OVERLAP = 0.5  # of the smaller box: SAHI's own threshold


@dataclass(frozen=True)
class View:
    """A part of an image, as the network is shown it.

    Attributes:
        top, left, bottom, right: in pixels of the image; the last two are not part of it.
        mirrored: left and right change places.
    """

    top: int
    left: int
    bottom: int
    right: int
    mirrored: bool = False

    def of(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """(size, size, 3) of an image (H, W, 3)."""
        part = image[self.top : self.bottom, self.left : self.right]
        resized: NDArray[np.uint8] = cv2.resize(part, (size, size), interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        return np.ascontiguousarray(resized[:, ::-1]) if self.mirrored else resized

    def in_image(self, found: Detections, height: int, width: int) -> Detections:
        """What was found in the view, its boxes as fractions of the image."""
        ymin, xmin, ymax, xmax = found.boxes.T
        if self.mirrored:
            xmin, xmax = 1 - xmax, 1 - xmin
        rows, columns = (self.bottom - self.top) / height, (self.right - self.left) / width
        up, left = self.top / height, self.left / width
        boxes = np.stack([ymin * rows + up, xmin * columns + left, ymax * rows + up, xmax * columns + left], axis=1)
        return Detections(boxes.astype(np.float32), found.labels, found.scores)


@dataclass(frozen=True)
class Views:
    """How images are looked at.

    Attributes:
        flip: also mirrored.
        tile: the side of square tiles in pixels; None: only the whole image. An image no larger has none.
        overlap: share of a tile's side that it has in common with the next, below 1.
    """

    flip: bool = False
    tile: int | None = None
    overlap: float = 0.2

    def of(self, height: int, width: int) -> list[View]:
        """The views of an image, the whole one first."""
        views = [View(0, 0, height, width)]
        if self.tile is not None and max(height, width) > self.tile:
            views += [
                View(top, left, min(top + self.tile, height), min(left + self.tile, width))
                for top in starts(height, self.tile, self.overlap)
                for left in starts(width, self.tile, self.overlap)
            ]
        if self.flip:
            views += [View(view.top, view.left, view.bottom, view.right, mirrored=True) for view in views]
        return views


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where the tiles of a row begin.

    >>> starts(1000, 400, 0.25), starts(400, 400, 0.25), starts(90, 400, 0.25)
    ([0, 300, 600], [0], [0])
    >>> starts(1050, 400, 0.25)
    [0, 300, 600, 650]
    """
    step = max(1, round(tile * (1 - overlap)))
    last = max(0, length - tile)
    return [*range(0, last, step), last]


def detect(
    network: Network, images: Sequence[NDArray[np.uint8]], views: Views, score_threshold: float, batch_size: int = 8
) -> list[Detections]:
    """Detections of each (H, W, 3) uint8 RGB image, boxes as fractions of it; views of all pass in common batches."""
    plans = [views.of(*image.shape[:2]) for image in images]
    shown = (view.of(image, network.image_size) for image, plan in zip(images, plans, strict=True) for view in plan)
    found = _in_batches(network, shown, score_threshold, batch_size)
    results = []
    for image, plan in zip(images, plans, strict=True):
        parts = [view.in_image(next(found), *image.shape[:2]) for view in plan]
        has_tiles = len(plan) > (2 if views.flip else 1)
        results.append(parts[0] if len(parts) == 1 else merged(parts, network, over_smaller=has_tiles))
    return results


def _in_batches(
    network: Network, shown: Iterator[NDArray[np.uint8]], score_threshold: float, batch_size: int
) -> Iterator[Detections]:
    part: list[NDArray[np.uint8]] = []
    for image in shown:
        part.append(image)
        if len(part) == batch_size:
            yield from network(np.stack(part), score_threshold)
            part = []
    if part:
        yield from network(np.stack(part), score_threshold)


def merged(parts: Sequence[Detections], network: Network, over_smaller: bool) -> Detections:
    """One result of several of the same image: greedy non-maximum suppression per class, the surest first.

    Args:
        parts: boxes as fractions of the image.
        network: whose IoU and number of detections count.
        over_smaller: compares the intersection with the smaller box, not with the union.
    """
    boxes, labels, scores = (np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS)
    order = np.argsort(-scores, kind="stable")
    found = Detections(boxes[order], labels[order], scores[order])
    limit = SMALLER_OVERLAP if over_smaller else network.nms_iou
    kept = np.concatenate(
        [np.zeros(0, np.int64)]
        + [rows[not_suppressed(found.boxes[rows], limit, over_smaller)] for rows in _by_label(found.labels)]
    )
    return found[np.sort(kept)[: network.max_detections]]


_COLUMNS = ("boxes", "labels", "scores")


def _by_label(labels: NDArray[np.int32]) -> Iterator[NDArray[np.int64]]:
    for label in np.unique(labels):
        yield np.flatnonzero(labels == label)


def not_suppressed(boxes: NDArray[np.float32], limit: float, over_smaller: bool) -> list[int]:
    """Rows of (N, 4) boxes, surest first, that no kept one before them overlaps by more than the limit."""
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    left, kept = np.arange(len(boxes)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        sides = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(boxes[best, :2], boxes[left, :2])
        common = np.prod(np.maximum(sides, 0), axis=1)
        whole = np.minimum(areas[best], areas[left]) if over_smaller else areas[best] + areas[left] - common
        left = left[common <= limit * whole]
    return kept
