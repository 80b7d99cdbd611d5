"""SSD object detection experiments in TensorFlow/Keras 3, configured with Hydra and tracked with MLflow.

`from ssd import Detector` is for programs of one's own (docs/python.md); it is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import ssd.environment  # noqa: F401  (before any library)

if TYPE_CHECKING:
    from ssd.prediction.detector import Detector
    from ssd.prediction.image_detections import ImageDetections

__version__ = "0.1.0"
__all__ = ["Detector", "ImageDetections"]

_PLACES = {"Detector": "ssd.prediction.detector", "ImageDetections": "ssd.prediction.image_detections"}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'ssd' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
