"""Files that look like checkpoints from outside: all that is asked before TensorFlow is imported."""

import json
import zipfile
from pathlib import Path


def write_archive(file: Path, parts: dict[str, bytes]) -> Path:
    """A zip of these parts."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return file


def write_detector(file: Path) -> Path:
    """Like a detector of cats, without weights that anything could read."""
    config = {"class_name": "SSD", "config": {"class_names": ["cat"]}}
    return write_archive(file, {"config.json": json.dumps(config).encode(), "model.weights.h5": b"weights" * 100})
