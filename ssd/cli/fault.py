"""What is said of an exception that nobody expected: a fault of ours, of a library, or of a user's own part."""

import os
import tempfile
import traceback
from pathlib import Path

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
