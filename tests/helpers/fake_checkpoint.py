"""Files that look like checkpoints from outside: all that is asked before TensorFlow is imported."""

import json
import zipfile
from pathlib import Path
from typing import Any


def write_archive(file: Path, parts: dict[str, bytes]) -> Path:
    """A zip of these parts."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


def settings() -> dict[str, Any]:
    """Those of a detector of cats, as its checkpoint has them."""
    return {
        "name": "ssd",
        "backbone": {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": {"layers": []},
            "registered_name": "Functional",
        },
        "class_names": ["cat"],
        "extras": [{"squeeze": 16, "filters": 32, "kernel": 3, "stride": 2, "padding": 1}],
        "priors": {"scales": [0.2, 0.4, 0.6], "aspect_ratios": [[2.0], [2.0]], "steps": "stride", "clip": False},
        "variances": [0.1, 0.1, 0.2, 0.2],
        "separable": False,
        "nms": {"score_threshold": 0.01, "iou": 0.45, "max_per_class": 50, "max_detections": 5},
    }


def detector_config(of: dict[str, Any]) -> bytes:
    """The configuration that Keras writes for a detector of these settings."""
    config = {"module": "ssd.models.detector", "class_name": "SSD", "config": of, "registered_name": "ssd>SSD"}
    return json.dumps(config).encode()


def write_detector(file: Path) -> Path:
    """Like a detector of cats, without weights that anything could read."""
    return write_archive(file, {"config.json": detector_config(settings()), "model.weights.h5": b"weights" * 100})
