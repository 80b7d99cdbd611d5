"""Writing a checkpoint whole or not at all."""

import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError, first_line
from ssd.models.checkpoint import compiled_with
from ssd.models.detector import SSD
from ssd.runs.keras_zip import AVERAGE, NOTES, check_sums, opened


def save_detector(
    model: SSD,
    file: Path,
    optimizer: keras.optimizers.Optimizer | None = None,
    notes: Mapping[str, int] | None = None,
    average: NDArray[np.float32] | None = None,
) -> None:
    """Writes a detector beside its name, reads it again, and moves it into place: a reader sees the old or the new one.

    Args:
        model: with its class names, priors and preprocessing.
        file: ends in `.keras`.
        optimizer: to go on with, its step count included; without one the file has a third of the size.
        notes: for `ssd.runs.checkpoint.read_notes`.
        average: (N,) of weights, for `ssd.models.checkpoint.read_average`.

    Raises:
        UserError: it cannot be written; what was there is as it was.
    """
    partial = file.with_name(f".{file.stem}.{os.getpid()}.partial.keras")
    with _said(file):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with compiled_with(model, optimizer):
                model.save(partial)
            with zipfile.ZipFile(partial, "a") as archive:
                if notes is not None:
                    archive.writestr(NOTES, json.dumps(notes))
                if average is not None:
                    archive.writestr(AVERAGE, average.astype("<f4").tobytes())
            _check(partial)
            _sync(partial)
            os.replace(partial, file)
            if os.name != "nt":  # which cannot open a folder
                _sync(file.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def _said(file: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if (reason := _of_the_disk(error)) is None:
            raise
        raise UserError(
            f"{file} cannot be written ({reason}); what was there before is as it was: see to the disk, then go on "
            f"with resume={file.parent.parent}"
        ) from error


def _of_the_disk(error: BaseException | None) -> str | None:
    """What the system said, beneath what zipfile and h5py raise when they close what is half written."""
    while error is not None:
        if isinstance(error, OSError):
            return error.strerror or first_line(error)
        if said := re.search(r"errno = (\d+)", str(error)):  # h5py's RuntimeError
            return os.strerror(int(said[1]))
        error = error.__cause__ or error.__context__
    return None


def _check(partial: Path) -> None:
    try:
        with opened(partial) as archive:
            check_sums(archive)
    except ValueError as error:
        raise OSError(f"what was written cannot be read again: {error}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
