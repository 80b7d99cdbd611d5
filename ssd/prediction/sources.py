"""What `source=` names: images, videos, streams, in files, folders, globs, addresses, cameras or a list."""

import glob
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from ssd.config.listed import split_source
from ssd.data.suffixes import IMAGE_SUFFIXES, UNREAD_SUFFIXES, files_ending
from ssd.errors import UserError, is_writable
from ssd.runs.folder import is_run

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".ts", ".3gp")
STANDARD_INPUT = "-"
SAVED = ("pictures", "crops", "coco", "csv", "yolo", "voc")  # what `task.save` may name

_STREAM = re.compile(r"(?i)(rtsps?|rtmps?|udp|tcp|srt)://.")
_ADDRESS = re.compile(r"(?i)https?://.")
_PLAYLISTS = (".m3u8", ".mpd", ".mjpg", ".mjpeg")  # of streams by HTTP
_GLOB = re.compile(r"[*?\[]")


class Kind(Enum):
    """How a source is read."""

    image = "image"
    video = "video"  # a file
    stream = "stream"  # without an end: a camera, or from the network
    address = "address"  # http(s): the server says what it is


@dataclass(frozen=True)
class Source:
    """Something to detect in.

    Attributes:
        name: the path, address, or number of a camera, as it was given.
        place: where under the results what is made of it goes, as under its source; no two have one stem.
        kind: how it is read.
    """

    name: str
    place: Path
    kind: Kind


@dataclass
class _Places:
    """Gives each source a place of its own."""

    taken: set[str] = field(default_factory=set)

    def free(self, place: Path) -> Path:
        """`place`, or with a number where another source has its stem, whatever its capitals and ending."""
        number, found = 1, place
        while (key := str(found.with_suffix("")).casefold()) in self.taken:
            number += 1
            found = place.with_stem(f"{place.stem}_{number}")
        self.taken.add(key)
        return found


def read_sources(source: str) -> list[Source]:
    """All that `source=` names but a list on standard input, files in folders and their folders sorted by name.

    Raises:
        UserError: a part of it is not there, or a folder or glob holds nothing to detect in.
    """
    places, found, seen = _Places(), list[Source](), set[str]()
    for part in split_source(source):
        for name, place, kind in _of_part(part):
            if name not in seen:
                seen.add(name)
                found.append(Source(name, places.free(place), kind))
    return found


def listed_sources(lines: Iterable[bytes]) -> Iterator[Source]:
    """The files and addresses in a list, one a line, as they come; whether they are there is seen later."""
    places = _Places()
    for line in lines:
        if name := os.fsdecode(line).strip("\r\n"):
            yield Source(name, places.free(_place(name)), _kind(name))


def standard_input() -> Iterable[bytes]:
    """The lines of the list."""
    return sys.stdin.buffer


def check_not_source(folder: Path, sources: Iterable[Source]) -> None:
    """Refuses a folder for the results in which, or in whose folders, a source lies.

    Raises:
        UserError: naming it.
    """
    place = folder.resolve()
    for source in sources:
        if source.kind in (Kind.image, Kind.video) and place in Path(source.name).resolve().parents:
            raise UserError(f"hydra.run.dir={folder} holds {source.name}: results go into another folder, leave it out")


def unread_files(source: str) -> list[Path]:
    """The pictures in the folders of `source` that are of a kind that is not read, sorted by name."""
    suffixes = [suffix for suffix in UNREAD_SUFFIXES if suffix not in VIDEO_SUFFIXES]
    return sorted({file for folder in source_folders(source) for file in files_ending(folder, suffixes)})


def source_folders(source: str) -> list[Path]:
    """The folders among its parts."""
    return [folder for part in split_source(source) if (folder := Path(part).expanduser()).is_dir()]


def _of_part(part: str) -> Iterator[tuple[str, Path, Kind]]:
    """Name, wished place and kind of all that one part of `source=` names."""
    path = Path(part).expanduser()
    if not part or path.exists():
        yield from _of_path(part, path)
    elif part.isdecimal():
        yield part, Path(f"camera_{part}"), Kind.stream
    elif _STREAM.match(part) or _ADDRESS.match(part):
        yield part, _place(part), _kind(part)
    elif _GLOB.search(part):
        files = sorted(map(Path, glob.glob(str(path), recursive=True)))
        files = [file for file in files if file.suffix.lower() in (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES) and file.is_file()]
        if not files:
            raise UserError(f"source={part} matches no image; paths are relative to {Path.cwd()}")
        _check_names(part, files)
        base = os.path.dirname(str(path)[: _GLOB.search(str(path)).start()])  # type: ignore[union-attr]
        yield from ((str(file), Path(os.path.relpath(file, base or ".")), _kind(file.name)) for file in files)
    else:
        yield from _of_path(part, path)


def _of_path(part: str, path: Path) -> Iterator[tuple[str, Path, Kind]]:
    if not part or not path.exists():
        raise UserError(f"source={part}: there is no such image or folder; paths are relative to {Path.cwd()}")
    if not path.is_dir():
        _check_names(part, [path])
        yield str(path), Path(path.name), _kind(path.name)
        return
    files = _without_runs(path, files_ending(path, (*IMAGE_SUFFIXES, *VIDEO_SUFFIXES)))
    if not files:
        raise UserError(
            f"source={part} holds no image ({', '.join(IMAGE_SUFFIXES)}) and no video; give an image or a folder of "
            "images"
        )
    _check_names(part, files)
    yield from ((str(file), file.relative_to(path), _kind(file.name)) for file in files)


def _without_runs(root: Path, files: list[Path]) -> list[Path]:
    """Those that are in no folder of a run in `root`: pictures that this program has drawn."""
    runs = {folder for file in files for folder in file.parents if folder.is_relative_to(root) and folder != root}
    runs = {folder for folder in runs if is_run(folder)}
    return [file for file in files if runs.isdisjoint(file.parents)]


def _check_names(part: str, files: Iterable[Path]) -> None:
    if odd := [file for file in files if not all(map(is_writable, str(file)))]:
        raise UserError(
            f"source={part} holds {str(odd[0])!r}, whose name is not in UTF-8 or has control characters in it: "
            "rename it"
        )


def _kind(name: str) -> Kind:
    if _STREAM.match(name):
        return Kind.stream
    if not _ADDRESS.match(name):
        return Kind.video if Path(name).suffix.lower() in VIDEO_SUFFIXES else Kind.image
    suffix = PurePosixPath(urlsplit(name).path).suffix.lower()
    if suffix in (*VIDEO_SUFFIXES, *_PLAYLISTS):
        return Kind.stream
    return Kind.image if suffix in IMAGE_SUFFIXES else Kind.address


def _place(name: str) -> Path:
    """A file's name; of an address the last part of its path, else its host; without what names cannot have."""
    if _STREAM.match(name) or _ADDRESS.match(name):
        parts = urlsplit(name)
        last = PurePosixPath(unquote(parts.path)).name or parts.hostname or "stream"
        return Path(re.sub(r"[^\w.,+ -]+", "-", last)[:100].strip(" .") or "stream")
    return Path(Path(name).name or "image")
