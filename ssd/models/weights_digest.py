"""A fingerprint of what a checkpoint has learnt: two files with the same one hold the same numbers, bit for bit."""

import hashlib
import tempfile
from pathlib import Path

import h5py
import numpy as np

from ssd.errors import UserError, first_line
from ssd.models.keras_weights import stored_shapes
from ssd.runs.checkpoint import unreadable
from ssd.runs.keras_config import shown
from ssd.runs.keras_zip import WEIGHTS, copy, opened


def weights_digest(checkpoint: Path) -> str:
    """SHA-256, in hexadecimal, of all arrays of a `.keras` file with their names, an optimizer's among them.

    The file's own digest is another one each time, as an archive notes when it was written.

    Raises:
        UserError: it cannot be read, naming it.
    """
    try:
        with opened(checkpoint) as archive, tempfile.TemporaryDirectory(prefix="ssd-weights-") as folder:
            file = Path(folder, WEIGHTS)
            with file.open("wb") as target:
                copy(archive, WEIGHTS, target)
            return _digest(file)
    except Exception as error:  # zip and h5py raise many kinds
        raise UserError(unreadable(checkpoint, shown(first_line(error), 300))) from error


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    shapes = stored_shapes(file)
    with h5py.File(file, "r") as content:
        for name in sorted(shapes):
            array = np.asarray(content[name])
            digest.update(f"{name}\0{array.dtype.str}\0{array.shape}\0".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()
