"""What every network looks like to those who detect with it, whatever runs it. Imports no framework."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections


class Network(Protocol):
    """Images of the network's own size in, detections out. It may be called from several threads at once.

    Attributes:
        class_names: in label order, without background.
        image_size: S, the side in pixels of the square images that it takes.
        score_threshold: the least score of what it finds unless told otherwise.
        nms_iou: IoU above which the less sure of two detections of a class is dropped.
        max_detections: of an image.
    """

    @property
    def class_names(self) -> tuple[str, ...]: ...

    @property
    def image_size(self) -> int: ...

    @property
    def score_threshold(self) -> float: ...

    @property
    def nms_iou(self) -> float: ...

    @property
    def max_detections(self) -> int: ...

    def __call__(self, images: NDArray[np.uint8], score_threshold: float) -> list[Detections]:
        """Detections of each of (B, S, S, 3) uint8 RGB images, of at least this score; any B from 1 on."""
        ...
