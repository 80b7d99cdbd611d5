"""What is said of an exception that nobody expected: a fault of ours, of a library, or of a user's own part."""

import logging
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssd.errors import reason

_LONGEST = 500  # letters of a reason that nobody has written for a user


def describe_fault(error: Exception, log_file: Path | None = None) -> str:
    """One sentence, with the file that has the trace: the log of the run, or without one a file made for it."""
    said = " ".join(str(error).split()) or "no reason given"
    reason = f"{said[:_LONGEST]}…" if len(said) > _LONGEST else said
    place = log_file or _kept("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {reason}; nobody expected this: the trace is in {place}"


def _kept(trace: str) -> Path:
    handle, name = tempfile.mkstemp(prefix="ssd-error-", suffix=".log")
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(trace)
    return Path(name)


@contextmanager
def faults_of_threads_told() -> Iterator[None]:
    """What goes wrong in a thread is said in a line, its trace goes to the log of the run; the run goes on."""
    before = threading.excepthook

    def tell(args: threading.ExceptHookArgs) -> None:
        error = args.exc_value or args.exc_type()
        logging.getLogger("ssd.record").error("in a thread", exc_info=error)
        logging.getLogger("ssd").error("in a thread: %s; its trace is in run.log", reason(error))

    threading.excepthook = tell
    try:
        yield
    finally:
        threading.excepthook = before
