"""The container of a `.keras` file, which may come from a stranger: a zip with a few members, nothing of it trusted.

What is wrong with it is a ValueError that says so; its CRC-32 sums cover every byte of every member.
"""

import json
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
NOTES = "training.json"  # ours, beside Keras' own
AVERAGE = "average.float32"  # ours: of the weights that are trained, one after the other, little-endian
RUNNING = "running.json"  # ours: what else a training carries from step to step; name → float64 in hexadecimal
_MOST_BYTES: dict[str, float] = {
    CONFIG: 2**22,
    WEIGHTS: float("inf"),
    NOTES: 2**16,
    AVERAGE: float("inf"),
    RUNNING: 2**22,
    "metadata.json": 2**16,
}
_MOST_EXPANSION = 20  # of the whole file; Keras compresses nothing, a packer may have, and zeros of Adam shrink well
_MOST_DIRECTORY = 2**12  # bytes of the list of members
_CHUNK = 2**20

# What zipfile and json raise for what they cannot read.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    RecursionError,
    MemoryError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@contextmanager
def opened(file: Path) -> Iterator[zipfile.ZipFile]:
    """The archive of a `.keras` file, once its members are known to be those of a checkpoint and of a possible size.

    Raises:
        ValueError: they are not, or it is no such archive; what else `BROKEN` lists, where it is damaged.
    """
    with file.open("rb") as stream:
        size = stream.seek(0, 2)
        _check_ends(stream, size)
        with zipfile.ZipFile(stream) as archive:
            _check_members(archive.infolist(), size)
            yield archive


def check_sums(archive: zipfile.ZipFile) -> None:
    """Reads every member to its end.

    Raises:
        ValueError: naming the one whose bytes are not those that were written.
    """
    for name in archive.namelist():
        copy(archive, name, None)


def copy(archive: zipfile.ZipFile, name: str, target: BinaryIO | None) -> None:
    """Writes a member, no more than its declared size, into a stream; into none it is only read.

    Raises:
        ValueError: its bytes are not those that were written.
    """
    try:
        with archive.open(name) as member:
            while chunk := member.read(_CHUNK):
                if target is not None:
                    target.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{name} is damaged") from error


def read_json(archive: zipfile.ZipFile, name: str) -> Any:
    """A member's JSON, without NaN and infinities.

    Raises:
        ValueError: it is damaged, or no such JSON.
    """
    try:
        with archive.open(name) as member:
            content = member.read()
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{name} is damaged") from error
    try:
        return json.loads(content, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError(f"{name} is nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"{name} is not JSON that a checkpoint has: {error}") from error


def _no_number(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}")


def _check_ends(stream: BinaryIO, size: int) -> None:
    """Looks at the first and last bytes: what a directory takes is known before one is read."""
    stream.seek(0)
    start = stream.read(4)
    if size == 0:
        raise ValueError("it is empty")
    if start == b"\x89HDF":
        raise ValueError("it is an HDF5 file, the format of older Keras, which could hold code")
    if start != b"PK\x03\x04":
        raise ValueError("it is not a .keras file")
    stream.seek(max(size - 98, 0))
    tail = stream.read().rjust(98, b"\0")
    if tail[-22:-18] != b"PK\x05\x06":
        raise ValueError("its end is missing or is not its own: it was cut short, or not copied whole")
    entries, directory = struct.unpack("<HI", tail[-12:-6])
    if tail[-42:-38] == b"PK\x06\x07":  # as larger files have it, which say it again
        entries, directory = struct.unpack("<QQ", tail[32:48])
    if entries > len(_MOST_BYTES) or directory > _MOST_DIRECTORY:
        raise ValueError(f"it has {entries} members, more than a checkpoint")


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    names = [member.filename for member in members]
    for member in members:
        name = member.filename
        if name not in _MOST_BYTES or stat.S_ISLNK(member.external_attr >> 16):
            raise ValueError(f"it holds {name[:80]!r}, which no checkpoint has")
        if names.count(name) > 1:
            raise ValueError(f"it holds {name} twice")
        if member.flag_bits & 0x41:
            raise ValueError(f"{name} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed in a way that no checkpoint is")
        if member.file_size > _MOST_BYTES[name]:
            raise ValueError(f"{name} would unpack to {member.file_size} bytes, more than any checkpoint's")
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in names]:
        raise ValueError(f"{missing[0]} is missing")
    unpacked = sum(member.file_size for member in members)
    if unpacked > _MOST_EXPANSION * size or sum(member.compress_size for member in members) > size:
        raise ValueError(f"it would unpack to {unpacked} bytes, {unpacked / size:.0f} times its own size")
