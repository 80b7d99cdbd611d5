"""Checkpoints as files of another runtime, kept in the user's cache folder from one start to the next.

What is kept is used only for the same content of a checkpoint, the same program and the same versions of what converts
and runs it; then neither is converted again nor TensorFlow imported. A file beside it holds its SHA-256: no damage gets
further than that. It may be deleted at any time.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

import platformdirs

from ssd import __version__
from ssd.export.matrix import Variant

if TYPE_CHECKING:
    from ssd.models.detector import SSD

record = logging.getLogger("ssd.record")  # into run.log only

_MOST_BYTES = 2_000_000_000  # of all entries; those not used for longest go first
_DIGEST = "sha256"  # the file of an entry that holds it
_ROOMS = ("export", "inference", "models")  # whose program a conversion follows from
_PACKAGES = {"openvino": ("openvino",), "onnx": ("tf2onnx", "onnxruntime"), "litert": ("ai-edge-litert",)}
_OURS = ("keras.", "ssd.")


class Conversion(NamedTuple):
    """An exported file, there as long as it is asked for.

    Attributes:
        file: that `load_exported` takes.
        seconds: that converting took; None where it was kept from an earlier start.
    """

    file: Path
    seconds: float | None


def cache_folder() -> Path:
    """Where conversions are kept: `ssd-experiments/converted` in the user's cache folder (Linux: ~/.cache)."""
    return Path(platformdirs.user_cache_dir("ssd-experiments")) / "converted"


@contextmanager
def converted(variant: Variant, load: Callable[[], "SSD"], checkpoint: Path | None) -> Iterator[Conversion]:
    """A detector as a file of another runtime.

    Args:
        variant: of which no calibration is needed.
        load: gives the detector, where it has to be converted.
        checkpoint: whose content it is; None: it is of no file, and not kept.

    Raises:
        Exception: whatever the converter raises.
    """
    entry = None if checkpoint is None else cache_folder() / _key(checkpoint, variant)
    if entry is not None and (found := _sound(entry)) is not None:
        yield Conversion(found, None)
        return
    from ssd.export.write import write_export  # TensorFlow, which what is kept does not need

    model, start = load(), monotonic()
    with TemporaryDirectory(prefix="ssd-converted-", ignore_cleanup_errors=True) as place:
        made = write_export(model, variant, str(checkpoint or model.name), Path(place, variant.name))
        seconds = monotonic() - start
        if entry is not None and _is_reproducible(model):
            _keep(made.parent, entry)
        yield Conversion(made, seconds)


def _key(checkpoint: Path, variant: Variant) -> str:
    with checkpoint.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    packages = [(name, version(name)) for name in ("keras", "tensorflow", *_PACKAGES[variant.format])]
    about = json.dumps([content, variant, _program(), packages])
    return f"{variant.name}_{hashlib.sha256(about.encode()).hexdigest()[:32]}"


@cache
def _program() -> str:
    """The version, and a digest of what converts, which changes between two versions as well."""
    sources = [file for room in _ROOMS for file in sorted((Path(__file__).parents[1] / room).rglob("*.py"))]
    return f"{__version__} {hashlib.sha256(b''.join(file.read_bytes() for file in sources)).hexdigest()}"


def _is_reproducible(model: "SSD") -> bool:
    """Whether all of its layers are Keras' or the project's; a user's own may change while the checkpoint does not."""
    return all(type(layer).__module__.startswith(_OURS) for layer in model._flatten_layers())


def _sound(entry: Path) -> Path | None:
    """The file of an entry; None where it is not there, or damaged."""
    try:
        if (entry / _DIGEST).read_text() != _digest(entry):
            raise ValueError("its digest is another")
        (found,) = (file for file in entry.iterdir() if file.suffix in (".xml", ".onnx", ".tflite"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        record.warning("the conversion kept in %s cannot be used (%s): it is made again", entry, error)
        shutil.rmtree(entry, ignore_errors=True)
        return None
    with suppress(OSError):
        os.utime(entry)  # used: others are older
    return found


def _digest(folder: Path) -> str:
    """Of all files but the one that holds it."""
    total = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.name != _DIGEST:
            total.update(file.name.encode())
            total.update(file.read_bytes())
    return total.hexdigest()


def _keep(made: Path, entry: Path) -> None:
    """Copies a conversion to its place, in one move; where that cannot be, it is made again at the next start."""
    part = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        shutil.copytree(made, part)
        (part / _DIGEST).write_text(_digest(made))
        part.rename(entry)
        record.info("the conversion is kept for the next start in %s", entry)
        _make_room(entry.parent)
    except OSError as error:
        record.info("the conversion is not kept for the next start: %s", error)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _make_room(folder: Path) -> None:
    """Deletes the entries that were not used for longest, and what a killed process left, over `_MOST_BYTES`."""
    entries = [(entry.stat().st_mtime, entry) for entry in folder.iterdir()]
    room = _MOST_BYTES
    for _, entry in sorted(entries, reverse=True):
        room -= sum(file.stat().st_size for file in entry.iterdir())
        if room < 0:
            shutil.rmtree(entry, ignore_errors=True)
