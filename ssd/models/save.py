"""Writing a checkpoint whole or not at all: first into memory, as fast as that is, then to the disk.

The two are apart so that a training waits only for the first (`ssd.training.checkpoints`).
"""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError, first_line
from ssd.models.checkpoint import RANDOM, compiled_with, random_state
from ssd.models.detector import SSD
from ssd.runs.files import whole
from ssd.runs.keras_zip import AVERAGE, NOTES, RUNNING, check_sums, opened


class Packed(io.BytesIO):
    """The bytes of a checkpoint."""

    def __str__(self) -> str:
        """What Keras takes for the name of the file that it writes into."""
        return "packed.keras"


def save_detector(
    model: SSD,
    file: Path,
    optimizer: keras.optimizers.Optimizer | None = None,
    notes: Mapping[str, int] | None = None,
    average: NDArray[np.float32] | None = None,
) -> None:
    """Writes a detector, as `pack` and `write_packed` do.

    Raises:
        UserError: it cannot be written; what was there is as it was.
    """
    write_packed(pack(model, optimizer, notes, average), file)


def pack(
    model: SSD,
    optimizer: keras.optimizers.Optimizer | None = None,
    notes: Mapping[str, int] | None = None,
    average: NDArray[np.float32] | None = None,
    running: Mapping[str, NDArray[np.float64]] | None = None,
) -> Packed:
    """A detector as it is now, in memory.

    Args:
        model: with its class names, priors and preprocessing.
        optimizer: to go on with, its step count included; without one the file has a third of the size.
        notes: for `ssd.runs.checkpoint.read_notes`.
        average: (N,) of weights, for `ssd.models.checkpoint.read_average`.
        running: name → (N,) what else a training goes on with, for `ssd.models.checkpoint.read_running`; the state of
            random layers is added to it.
    """
    packed = Packed()
    with compiled_with(model, optimizer):
        keras.saving.save_model(model, packed)
    found = {**(running or {}), **({RANDOM: random_state(model)} if optimizer is not None else {})}
    with zipfile.ZipFile(packed, "a") as archive:
        if notes is not None:
            archive.writestr(NOTES, json.dumps(notes))
        if average is not None:
            archive.writestr(AVERAGE, average.astype("<f4").tobytes())
        if found := {name: values for name, values in found.items() if len(values)}:
            archive.writestr(RUNNING, json.dumps({name: _in_hex(values) for name, values in found.items()}))
    return packed


def write_packed(packed: Packed, file: Path) -> None:
    """Writes a checkpoint beside its name, reads it again, and moves it into place: a reader sees the old or the new.

    Args:
        packed: from `pack`.
        file: ends in `.keras`.

    Raises:
        UserError: it cannot be written; what was there is as it was.
    """
    try:
        with whole(file) as part:
            with part.open("wb") as stream:
                stream.write(packed.getbuffer())
            _check(part)
    except OSError as error:
        raise UserError(
            f"{file} cannot be written ({error.strerror or first_line(error)}); what was there before is as it was: "
            f"see to the disk, then go on with resume={file.parent.parent}"
        ) from error


def _in_hex(values: NDArray[np.float64]) -> str:
    """As exact as they are, infinities too."""
    return values.astype("<f8").tobytes().hex()


def _check(partial: Path) -> None:
    try:
        with opened(partial) as archive:
            check_sums(archive)
    except ValueError as error:
        raise OSError(f"what was written cannot be read again: {error}") from error
