"""Annotations of large data sets, kept in the user's cache folder from one start to the next.

What is kept is used only as long as every file that it was read from is the same (`ssd.data.sources`) and the program,
too. One file for each data set and settings; whatever is wrong with it, the data set is read again. It holds arrays and
JSON, and begins with their SHA-256: no damage gets further than that.
"""

import hashlib
import io
import json
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from ssd import __version__
from ssd.data.annotations import Annotations
from ssd.data.arrays import annotations_in, as_arrays
from ssd.data.listening import listening, say
from ssd.data.problems import Problem
from ssd.data.sources import stamp_of
from ssd.runs.files import whole

record = logging.getLogger("ssd.record")  # into run.log only

LEAST_IMAGES = 2000  # fewer are read in a moment
_MOST_BYTES = 2_000_000_000  # of all entries, 30 bytes an object; those not used for longest go first
_DIGEST = 32


@dataclass(frozen=True)
class Parsed:
    """What a reader makes of its files: class names, and the annotations of each split."""

    class_names: tuple[str, ...]
    parts: Mapping[str, Annotations]
    problems: Sequence[Problem] = ()  # that were noted


def cache_folder() -> Path:
    """Where it is kept: `ssd-experiments/annotations` in the user's cache folder (Linux: ~/.cache)."""
    return Path(platformdirs.user_cache_dir("ssd-experiments")) / "annotations"


@cache
def program() -> str:
    """The version, and a digest of the readers, which change between two versions as well."""
    readers = [file for room in ("readers", "folder") for file in sorted((Path(__file__).parent / room).glob("*.py"))]
    return f"{__version__} {hashlib.sha256(b''.join(file.read_bytes() for file in readers)).hexdigest()}"


def kept(
    settings: Sequence[Any], files: Sequence[Path], read: Callable[[], Parsed], least: int | None = None
) -> Parsed:
    """What `read` gives and logs, from the cache if it is there; otherwise it is kept for the next time.

    Args:
        settings: plain values that `read` depends on, the reader's name among them.
        files: and folders that it reads, all of what is in them.
        read: may raise whatever it likes; then nothing is kept.
        least: images from which on it is; None: `LEAST_IMAGES`.
    """
    began, stamp = time.time_ns(), stamp_of(files)
    name = json.dumps([*settings, *(os.path.abspath(file) for file in files)])
    entry = cache_folder() / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.annotations"
    about = {"format": 2, "program": program(), "name": name, "stamp": stamp.digest if stamp else None}
    if stamp is not None and (found := _load(entry, about)) is not None:
        record.info("annotations as they were read before, from %s", entry)
        say(found[1])
        return found[0]
    heard: list[logging.LogRecord] = []
    try:
        with listening() as heard:
            parsed = read()
    finally:
        say(heard)
    if sum(map(len, parsed.parts.values())) >= (LEAST_IMAGES if least is None else least):
        if stamp is None or not stamp.is_settled(began) or stamp_of(files) != stamp:
            record.info("annotations not kept for the next start: their files were changed a moment ago, or are links")
        else:
            _store(entry, about, parsed, heard)
    return parsed


def _load(entry: Path, about: Mapping[str, Any]) -> tuple[Parsed, list[logging.LogRecord]] | None:
    """What an entry holds and what was said about it; None where it is not there, of other files, or damaged."""
    try:
        content = entry.read_bytes()
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            raise ValueError("its digest is another")
        with np.load(io.BytesIO(content[_DIGEST:]), allow_pickle=False) as arrays:
            head = json.loads(arrays["head"].tobytes())
            if head["about"] != about:
                return None
            names = head["class_names"]
            parts = {
                part: annotations_in(arrays, f"{number}/", len(names)) for number, part in enumerate(head["parts"])
            }
        heard = [
            logging.getLogger(logger).makeRecord(logger, level, "", 0, "%s", (text,), None)
            for logger, level, text in head["said"]
        ]
    except FileNotFoundError:
        return None
    except Exception as error:  # whatever a damaged file makes NumPy, zipfile or json raise
        record.warning("annotations kept in %s cannot be used (%s): they are read again", entry, error)
        return None
    with suppress(OSError):
        os.utime(entry)  # used: others are older
    return Parsed(tuple(names), parts, [Problem(*values) for values in head["problems"]]), heard


def _store(entry: Path, about: Mapping[str, Any], parsed: Parsed, heard: Sequence[logging.LogRecord]) -> None:
    said = [(item.name, item.levelno, item.getMessage()) for item in heard]
    problems = [astuple(problem) for problem in parsed.problems]
    head = {
        "about": about,
        "class_names": parsed.class_names,
        "parts": list(parsed.parts),
        "problems": problems,
        "said": said,
    }
    arrays = {"head": np.frombuffer(json.dumps(head).encode(), np.uint8)}
    for number, part in enumerate(parsed.parts.values()):
        arrays |= as_arrays(part, f"{number}/")
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    try:
        with whole(entry) as part_file:
            part_file.write_bytes(hashlib.sha256(content.getbuffer()).digest() + content.getbuffer())
        record.info("annotations kept for the next start in %s", entry)
    except OSError as error:
        record.info("annotations not kept for the next start: %s", error)
        return
    with suppress(OSError):  # another process may have deleted what is looked at
        _make_room(entry.parent)


def _make_room(folder: Path) -> None:
    """Deletes the entries that were not used for longest, and what a killed process left, over `_MOST_BYTES`."""
    files = [(file.stat().st_mtime, file.stat().st_size, file) for file in folder.iterdir()]
    room = _MOST_BYTES
    for _, size, file in sorted(files, reverse=True):
        room -= size
        if room < 0:
            file.unlink(missing_ok=True)
