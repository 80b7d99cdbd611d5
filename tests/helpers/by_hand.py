"""Objects and detections of one image of 100 x 100 pixels, written down one by one."""

from typing import Any

import numpy as np

from ssd.data.sample import Annotation
from ssd.inference.detections import Detections


def annotation(*objects: Any) -> Annotation:
    """objects: (label, box, "" | "difficult" | "crowd")."""
    flags = np.array([flag for *_, flag in objects], dtype="U9")
    boxes = np.array([box for _, box, _ in objects], np.float32).reshape(-1, 4)
    return Annotation(
        id="image",
        height=100,
        width=100,
        boxes=boxes,
        labels=np.array([label for label, *_ in objects], np.int32),
        difficult=flags == "difficult",
        crowd=flags == "crowd",
        areas=(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) * 10_000).astype(np.float32),
    )


def detections(*found: Any) -> Detections:
    """found: (label, score, box)."""
    return Detections(
        np.array([box for *_, box in found], np.float32).reshape(-1, 4),
        np.array([label for label, *_ in found], np.int32),
        np.array([score for _, score, _ in found], np.float32),
    )
