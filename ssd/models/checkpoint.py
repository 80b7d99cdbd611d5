"""Checkpoints: `.keras` files that hold the whole detector, with its optimizer where a training is to go on from it."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras

import ssd.models.layers  # noqa: F401  (registers what a checkpoint refers to)
from ssd.errors import UserError, first_line
from ssd.models.detector import SSD
from ssd.runs.checkpoint import checkpoint_file, unreadable

_NOTES = "training.json"  # beside Keras' own parts


def save_detector(
    model: SSD,
    file: Path,
    optimizer: keras.optimizers.Optimizer | None = None,
    notes: Mapping[str, int] | None = None,
) -> None:
    """Writes a detector whole or not at all: a reader sees the old file or the new one.

    Args:
        model: with its class names, priors and preprocessing.
        file: ends in `.keras`.
        optimizer: to go on with, its step count included; without one the file has a third of the size.
        notes: for `read_notes`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.stem}.{os.getpid()}.partial.keras")
    if optimizer is not None:
        model.compile(optimizer=optimizer)
    model.save(partial)
    if notes is not None:
        with zipfile.ZipFile(partial, "a") as archive:
            archive.writestr(_NOTES, json.dumps(notes))
    model.compiled, model.optimizer = False, None  # or the next file would have it too
    os.replace(partial, file)


def read_notes(file: Path) -> dict[str, int]:
    """What a checkpoint was written with beside its detector; nothing where it is older than notes are."""
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read(_NOTES)) if _NOTES in archive.namelist() else {}


def load_detector(checkpoint: str | Path, with_optimizer: bool = False) -> SSD:
    """The detector of a checkpoint, with its class names, priors and preprocessing.

    Args:
        checkpoint: a `.keras` file, or a run folder.
        with_optimizer: compiled with its optimizer, which only a training needs that goes on.

    Raises:
        UserError: naming the file where it cannot be read as one of this project's checkpoints.
    """
    file = checkpoint_file(checkpoint)
    try:
        model = keras.saving.load_model(file, compile=with_optimizer)
    except Exception as error:  # zip, h5py and Keras raise many kinds
        raise UserError(unreadable(file, first_line(error))) from error
    if not isinstance(model, SSD):
        raise UserError(
            f"{file} holds a {type(model).__name__}, not a detector; give a checkpoint that this program wrote"
        )
    return model
