"""What compiled libraries write to the terminal on their own (TensorFlow, CUDA, oneDNN), kept in a file instead.

Their first lines come before any setting of theirs is read, so their file descriptor leads elsewhere for as long as
they are at work; Python's own `sys.stderr` stays on the terminal.
"""

import faulthandler
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


def _is_on_descriptor(stream: object) -> bool:
    """Whether Python's stream writes to the descriptor; in a notebook or a test it may be another."""
    try:
        return isinstance(stream, io.TextIOBase) and stream.fileno() == _STDERR
    except (OSError, ValueError):
        return False
