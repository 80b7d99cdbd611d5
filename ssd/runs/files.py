"""Writing files whole.

Every file is written beside its name and moved into place, so that a run that is stopped, or finds the disk full, never
leaves half a file.
"""

import errno
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to; what is there at the end is moved to `path` once it is on the disk.

    A reader sees the old file or the new one, never a part; of a file that could not be written nothing stays.

    Raises:
        OSError: with the name of `path`, which a full disk's own does not have.
    """
    part = path.with_name(f".{path.name[:50]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _to_disk(part)
        os.replace(part, path)
    except OSError as error:
        if error.errno is None:  # a library's own, e.g. of a picture that cannot be encoded
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            part.unlink()


def _to_disk(file: Path) -> None:
    with file.open("rb+") as stream:
        try:
            os.fsync(stream.fileno())
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # of file systems that cannot tell
                raise


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
