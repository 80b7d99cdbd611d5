"""Finding and judging a checkpoint without reading its weights: nothing heavy is imported."""

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ssd.errors import UserError, first_line
from ssd.runs.detector_config import check_detector
from ssd.runs.folder import BEST, LAST
from ssd.runs.keras_config import check_network, shown
from ssd.runs.keras_zip import BROKEN, CONFIG, NOTES, check_sums, opened, read_json

_DETECTOR = "ssd>SSD"  # as Keras registers it
_EXPORTED = {".onnx": "onnx", ".xml": "openvino", ".tflite": "litert"}


def checkpoint_file(checkpoint: str | Path) -> Path:
    """The `.keras` file meant by a path to one, or by a run folder (its best, else its last checkpoint).

    Raises:
        UserError: where neither is there, naming a run nearby that has one.
    """
    path = Path(checkpoint)
    if path.is_file():
        return path
    if (found := _of_run(path)) is not None:
        return found
    what = "has no checkpoint" if path.is_dir() else "is neither a .keras file nor a run folder"
    raise UserError(f"checkpoint={checkpoint} {what}; {_instead(path)}")


def exported_format(path: Path) -> str | None:
    """Of the exported file, or the folder of a SavedModel, that a path leads to; None where it is none."""
    if path.is_dir():
        return "saved_model" if (path / "saved_model.pb").is_file() else None
    return _EXPORTED.get(path.suffix.lower()) if path.is_file() else None


def digest_of(file: Path) -> str:
    """SHA-256 of a checkpoint's file, in hexadecimal, by which an export knows what it was made of."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_checkpoint(checkpoint: str | Path) -> None:
    """Refuses a file that is no detector of this project, is damaged, or asks for what could do harm.

    Raises:
        UserError: naming the file.
    """
    file = checkpoint_file(checkpoint)
    try:
        with opened(file) as archive:
            read_settings(archive)
            check_sums(archive)
    except BROKEN as error:
        raise UserError(unreadable(file, first_line(error))) from error


def read_settings(archive: zipfile.ZipFile, is_registered: Callable[[str], bool] = lambda _: True) -> dict[str, Any]:
    """The settings of a checkpoint's detector (`SSD.get_config`), of which all is known to be harmless.

    Args:
        archive: the checkpoint (`opened`).
        is_registered: see `check_network`.

    Raises:
        ValueError: saying what is wrong.
    """
    config = read_json(archive, CONFIG)
    settings = config.get("config") if isinstance(config, dict) else None
    if not isinstance(settings, dict) or config.get("registered_name") != _DETECTOR:
        kind = config.get("class_name") if isinstance(config, dict) else None
        raise ValueError(
            f"it holds a {shown(kind)}, not a detector" if isinstance(kind, str) else "it holds no detector"
        )
    check_network(settings, is_registered)
    check_detector(settings)
    return settings


def read_notes(archive: zipfile.ZipFile) -> dict[str, int]:
    """What a checkpoint was written with beside its detector; nothing where it is older than notes are.

    Raises:
        ValueError: they are no counts.
    """
    notes = read_json(archive, NOTES) if NOTES in archive.namelist() else {}
    if not isinstance(notes, dict) or not all(type(count) is int and 0 <= count < 2**53 for count in notes.values()):
        raise ValueError(f"{NOTES} holds no counts")
    return notes


def unreadable(file: Path, reason: str) -> str:
    """The sentence for a file that is no checkpoint."""
    return f"{file} cannot be read as a checkpoint ({reason}); give one that this program wrote"


def _of_run(folder: Path) -> Path | None:
    return next((file for name in (BEST, LAST) if (file := folder / name).is_file()), None)


def _instead(path: Path) -> str:
    """What to give in its place: the newest run with a checkpoint in it, beside it or among all runs here."""
    runs = [*_runs_in(path, 2), *_runs_in(path.parent, 1), *_runs_in(Path("outputs"), 3)]
    if not runs:
        return f"check the path, which is relative to {Path.cwd()}"
    return f"the newest run here that has one is checkpoint={max(runs, key=_age)}"


def _runs_in(place: Path, depth: int) -> Iterator[Path]:
    for level in range(1, depth + 1):
        for file in place.glob(f"{'*/' * level}{LAST}"):
            if not any(folder.is_symlink() for folder in file.parents[1:3]):
                yield file.parents[1]


def _age(run: Path) -> float:
    return (run / LAST).stat().st_mtime
