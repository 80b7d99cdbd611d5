"""A network without weights that finds what is drawn: pure red areas are discs, pure blue ones boxes."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections

RED, BLUE = (255, 0, 0), (0, 0, 255)
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom in pixels


def drawn(height: int, width: int, red: Sequence[Rectangle] = (), blue: Sequence[Rectangle] = ()) -> NDArray[np.uint8]:
    """A grey image with rectangles; the last row and column of each belong to it."""
    image = np.full((height, width, 3), 90, np.uint8)
    for colour, rectangles in ((RED, red), (BLUE, blue)):
        for left, top, right, bottom in rectangles:
            image[top:bottom, left:right] = colour
    return image


class FakeNetwork:
    """See `ssd.inference.network.Network`. The score is 0.9 for discs and 0.6 for boxes; `calls` has the batches."""

    class_names = ("disc", "box")
    score_threshold = 0.01
    nms_iou = 0.45
    max_detections = 20

    def __init__(self, image_size: int = 64) -> None:
        self.image_size = image_size
        self.calls: list[int] = []

    def __call__(self, images: NDArray[np.uint8], score_threshold: float) -> list[Detections]:
        assert images.shape[1:] == (self.image_size, self.image_size, 3)
        assert images.dtype == np.uint8
        self.calls.append(len(images))
        return [self._of(image, score_threshold) for image in images]

    def _of(self, image: NDArray[np.uint8], score_threshold: float) -> Detections:
        boxes, labels, scores = [], [], []
        for label, (channel, score) in enumerate(((0, 0.9), (2, 0.6))):
            others = np.delete(image, channel, axis=2).max(axis=2)
            mask = ((image[..., channel] > 170) & (others < 60)).astype(np.uint8)
            _, _, found, _ = cv2.connectedComponentsWithStats(mask)
            for left, top, width, height, _ in found[1:]:
                if score >= score_threshold:
                    boxes.append([top, left, top + height, left + width])
                    labels.append(label)
                    scores.append(score)
        fractions = (np.array(boxes).reshape(-1, 4) / self.image_size).astype(np.float32)
        return Detections(fractions, np.array(labels, np.int32), np.array(scores, np.float32))
