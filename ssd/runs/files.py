"""Writing files whole.

Every file is written beside its name and moved into place, so that a run that is stopped, or finds the disk full, never
leaves half a file. What a killed process had begun to write lies there until `clear_leftovers`.
"""

import errno
import json
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

# Checkpoints of older versions were `.last.123.partial.keras`.
_LEFTOVER = re.compile(r"\..+\.\d+\.(part|partial\.keras)")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; what is there at the end is moved to `path` once it is on the disk.

    A reader sees the old file or the new one, never a part, also after a power failure; of a file that could not be
    written nothing stays.

    Raises:
        OSError: with the name of `path`, which a full disk's own does not have.
    """
    part = path.with_name(f".{path.name[:50]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        os.replace(part, path)
        if os.name != "nt":  # which cannot open a folder
            _to_disk(path.parent)  # the name, too
    except OSError as error:
        if error.errno is None:  # a library's own, e.g. of a picture that cannot be encoded
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _to_disk(place: Path) -> None:
    """Waits until a file, or what a folder lists, is on the disk."""
    descriptor = os.open(place, os.O_RDONLY if place.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # of file systems that cannot tell
            raise
    finally:
        os.close(descriptor)


def clear_leftovers(folder: Path) -> None:
    """Removes what killed processes had begun to write in a folder and below, which none may do now."""
    for file in folder.rglob(".*.part*"):
        if _LEFTOVER.fullmatch(file.name):
            with suppress(OSError):
                file.unlink()


def write_text(path: Path, text: str) -> None:
    """Writes a UTF-8 file in one move."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Writes indented JSON; numpy scalars become numbers, NaN and infinities null (JSON knows neither)."""
    write_text(path, json.dumps(_plain(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
