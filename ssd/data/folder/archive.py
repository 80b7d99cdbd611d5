"""A .zip or .tar of a data set, unpacked once: nothing out of it lands anywhere else, or grows without end."""

import hashlib
import logging
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from filelock import FileLock

from ssd.errors import UserError

log = logging.getLogger(__name__)

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

UNPACKED = "unpacked"  # the folder in dataset.data_dir

# Images do not shrink: what grows more than this is no data set. Labels do, so little data may.
_MOST_TIMES, _ALWAYS_FINE = 20, 1_000_000_000  # bytes
_MOST_FILES = 5_000_000
_CHUNK = 1 << 20


def is_archive(path: Path) -> bool:
    """Whether a file is one by its name."""
    return path.name.lower().endswith(SUFFIXES)


def stem_of(path: Path) -> str:
    """The name of an archive without what says that it is one; of another file or folder its name."""
    suffix = max((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), key=len, default="")
    return path.name[: len(path.name) - len(suffix)]


def unpacked(path: Path, data_dir: Path) -> Path:
    """The folder that an archive is unpacked in: made now, or found from an earlier time.

    Args:
        path: of the archive.
        data_dir: takes the folder, whose name tells the archive's path, size and time.

    Raises:
        UserError: it cannot be read or written, or holds what would land outside the folder, links, or too much.
    """
    found = path.stat()
    key = hashlib.sha256(f"{path.resolve()}\0{found.st_size}\0{found.st_mtime_ns}".encode("utf-8", "surrogateescape"))
    folder = data_dir / UNPACKED / f"{stem_of(path)}-{key.hexdigest()[:12]}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock")):
            if not folder.is_dir():
                log.info("unpacking %s into %s", path, folder)
                _unpack(path, folder, found.st_size)
    except OSError as error:
        raise UserError(
            f"{path} cannot be unpacked into dataset.data_dir={data_dir} ({error.strerror or error}): choose another "
            "folder, or unpack it yourself."
        ) from None
    return folder


def _unpack(path: Path, folder: Path, size: int) -> None:
    partial = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    most = max(_ALWAYS_FINE, _MOST_TIMES * size)
    try:
        members = _of_zip(path) if zipfile.is_zipfile(path) else _of_tar(path, most)
        for count, (name, content) in enumerate(members, start=1):
            if count > _MOST_FILES:
                raise UserError(f"{path} holds more than {_MOST_FILES:,} files: unpack it yourself if you trust it.")
            target = _target(path, partial, name)
            if target is not None:
                most -= _write(content, target, most, path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, NotImplementedError, ValueError, RuntimeError) as error:
        shutil.rmtree(partial, ignore_errors=True)
        said = " ".join(str(error).split())
        raise UserError(f"{path} cannot be unpacked ({said}): it is damaged or no archive; copy it again.") from None
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(folder)


def _of_zip(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of its files; names that do not say their encoding are UTF-8 where that fits."""
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir():
                continue
            name = member.filename if member.flag_bits & 0x800 else _as_utf8(member.filename)
            if stat.S_ISLNK(member.external_attr >> 16):
                raise UserError(f"{path} holds the link {name[:80]!r}: unpack it yourself if you trust it.")
            if member.flag_bits & 1:
                raise UserError(f"{path} is encrypted: unpack it yourself, and give the folder.")
            with archive.open(member) as content:
                yield name, content


def _as_utf8(name: str) -> str:
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _of_tar(path: Path, most: int) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of its files; what is passed over is unpacked on the way, so it counts too."""
    with tarfile.open(path) as archive:
        for member in archive:
            most -= member.size
            if most < 0:
                raise _too_large(path)
            if member.isdir():
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                what = "link" if member.issym() or member.islnk() else "device"
                raise UserError(f"{path} holds the {what} {member.name[:80]!r}: unpack it yourself if you trust it.")
            with content:
                yield member.name, content


def _target(path: Path, folder: Path, name: str) -> Path | None:
    """Where a member goes; None for hidden ones and what macOS adds.

    Raises:
        UserError: it would be outside of the folder.
    """
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name:
        raise UserError(f"{path} holds {name[:80]!r}, which leads out of its folder: it is not unpacked.")
    if os.path.isabs(name) or (parts and len(parts[0]) == 2 and parts[0][1] == ":"):
        raise UserError(f"{path} holds {name[:80]!r}, which leads out of its folder: it is not unpacked.")
    if not parts or any(part.startswith(".") or part == "__MACOSX" for part in parts):
        return None
    return folder.joinpath(*parts)


def _write(content: IO[bytes], target: Path, most: int, path: Path) -> int:
    """Copies a file; gives its size."""
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with target.open("wb") as file:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise _too_large(path)
            file.write(chunk)
    return size


def _too_large(path: Path) -> UserError:
    return UserError(
        f"{path} unpacks to more than {_MOST_TIMES} times its size, which no images do: it is not unpacked here; do it "
        "yourself if you trust it."
    )
