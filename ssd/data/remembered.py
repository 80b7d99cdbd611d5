"""What was found out about image files, kept until a file changes."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_TABLE = "CREATE TABLE IF NOT EXISTS facts (path TEXT PRIMARY KEY, size INTEGER, changed INTEGER, facts TEXT)"
_WAIT = 5.0  # seconds for another process that writes
_ERRORS = (sqlite3.Error, OSError, ValueError)  # a disk that is full or locked, a damaged file: it is only a memory


class Remembered:
    """Facts of files by their path, size and time of change, in a file of SQLite.

    Args:
        file: is made where it is not there; None: nothing is remembered.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def of(self, paths: Sequence[Path]) -> dict[Path, list[Any]]:
        """What is known of those of the files that have not changed."""
        if self._file is None or not self._file.exists():
            return {}
        try:
            with closing(sqlite3.connect(self._file, timeout=_WAIT)) as store:
                rows = {path: (size, changed, facts) for path, size, changed, facts in _rows(store, paths)}
            known = {path: rows[name] for path in paths if (name := _name(path)) in rows}
            return {path: json.loads(row[2]) for path, row in known.items() if row[:2] == _state(path)}
        except _ERRORS as error:
            log.info("%s cannot be read (%s); all images are looked at", self._file, error)
            return {}

    def keep(self, facts: Mapping[Path, Sequence[Any]]) -> None:
        """Adds what was found out, as JSON has it."""
        if self._file is None or not facts:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._file, timeout=_WAIT)) as store, store:
                store.execute(_TABLE)
                rows = [(_name(path), *_state(path), json.dumps(values)) for path, values in facts.items()]
                store.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", rows)
        except _ERRORS as error:
            log.info("%s cannot be written (%s); the images will be looked at again", self._file, error)


def _rows(store: sqlite3.Connection, paths: Sequence[Path]) -> Iterable[tuple[str, int, int, str]]:
    """The rows of the folders that the files are in, which is much faster than a question for each file."""
    for folder in {os.path.dirname(_name(path)) for path in paths}:
        inside = (f"{folder}/", f"{folder}0")  # the sign after the slash
        yield from store.execute("SELECT path, size, changed, facts FROM facts WHERE path > ? AND path < ?", inside)


def _name(path: Path) -> str:
    return os.path.abspath(path)


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
