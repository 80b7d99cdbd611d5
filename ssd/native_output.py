"""What compiled libraries write to the terminal on their own (TensorFlow, CUDA, oneDNN), kept in a file instead.

Their first lines come before any setting of theirs is read, so their file descriptor leads elsewhere for as long as
they are at work; Python's own `sys.stderr` stays on the terminal.
"""

import faulthandler
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_STDERR = 2


@contextmanager
def native_output_to(file: Path) -> Iterator[None]:
    """Appends to `file` what is written to file descriptor 2 past Python.

    Where a compiled library crashes the process, Python says so on the terminal, with the place; what the library
    itself said of it is in the file.
    """
    sys.stderr.flush()
    terminal = os.dup(_STDERR)
    if _is_on_descriptor(sys.stderr):  # for good: libraries keep the stream that they find
        sys.stderr = os.fdopen(os.dup(terminal), "w", 1, encoding=sys.stderr.encoding, errors="backslashreplace")
        faulthandler.enable(sys.stderr)
    with file.open("ab", buffering=0) as kept:
        os.dup2(kept.fileno(), _STDERR)
    try:
        yield
    finally:
        os.dup2(terminal, _STDERR)
        os.close(terminal)


class Overheard:
    """What has been written to file descriptor 2 since `overheard`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def size(self) -> int:
        """In bytes so far; it costs a microsecond."""
        return native_output_size()

    def since(self, position: int) -> bytes:
        """What came after the first `position` bytes."""
        self._file.seek(position)
        return self._file.read()


def native_output_size() -> int:
    """Bytes in the file that descriptor 2 leads to; the same at any time where it leads to a terminal or a pipe."""
    return os.fstat(_STDERR).st_size


@contextmanager
def overheard() -> Iterator[Overheard]:
    """Lets the program read what compiled libraries write; at the end it goes where it would have gone.

    The descriptor belongs to the process: other threads' output is overheard, too.
    """
    sys.stderr.flush()
    before = os.dup(_STDERR)
    try:
        with tempfile.TemporaryFile("w+b", buffering=0) as kept:
            os.dup2(kept.fileno(), _STDERR)
            try:
                yield Overheard(kept)
            finally:
                os.dup2(before, _STDERR)
                kept.seek(0)
                with os.fdopen(os.dup(before), "wb", buffering=0) as onwards:
                    shutil.copyfileobj(kept, onwards)
    finally:
        os.close(before)


def _is_on_descriptor(stream: object) -> bool:
    """Whether Python's stream writes to the descriptor; in a notebook or a test it may be another."""
    try:
        return isinstance(stream, io.TextIOBase) and stream.fileno() == _STDERR
    except (OSError, ValueError):
        return False
