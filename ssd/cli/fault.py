"""What is said of an exception that nobody expected: a fault of ours, of a library, a user's own part, or a disk."""

import errno
import logging
import os
import tempfile
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ssd.errors import reason
from ssd.runs.folder import LAST

_LONGEST = 500  # letters of a reason that nobody has written for a user
# What the user can do where the system refuses to read or write.
_REMEDIES = {
    errno.ENOSPC: "free space",
    errno.EDQUOT: "free space of your quota",
    errno.EFBIG: "raise the limit of a file's size (ulimit -f)",
    errno.EROFS: "choose a folder that can be written to",
    errno.EACCES: "give yourself the right to it, or choose another folder",
    errno.EPERM: "give yourself the right to it, or choose another folder",
    errno.EIO: "look after the disk",
    errno.ESTALE: "look after the network disk",
    errno.EISDIR: "move that folder away",
    errno.ENOTDIR: "choose a path that has no file where a folder must be",
    errno.EEXIST: "move away what is there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ELOOP: "mend the link",
}


def describe_fault(error: Exception, log_file: Path | None = None) -> str:
    """One sentence, with the file that has the trace: the log of the run, or without one a file made for it.

    Where a disk is full, can only be read, or the like, the sentence says so, and how a training goes on afterwards.
    """
    if (refused := _refused(error, log_file)) is not None:
        again = log_file is not None and (log_file.parent / LAST).is_file()
        then = f", then go on with resume={os.path.relpath(log_file.parent)}" if again and log_file else ""
        return f"{refused}{then}"
    said = " ".join(str(error).split()) or "no reason given"
    reason = f"{said[:_LONGEST]}…" if len(said) > _LONGEST else said
    place = log_file or _kept("".join(traceback.format_exception(error)))
    where = "and its trace could not be written either" if place is None else f"the trace is in {place}"
    return f"{type(error).__name__}: {reason}; nobody expected this: {where}"


def _refused(error: BaseException | None, log_file: Path | None) -> str | None:
    """What the system refused, and what to do; None where it is not to blame."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REMEDIES:
            named = error.filename2 or error.filename
            file = named or ("a file" if log_file is None else f"a file in {os.path.relpath(log_file.parent)}")
            return f"{file}: {os.strerror(error.errno)}; {_REMEDIES[error.errno]}"
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return None


def _kept(trace: str) -> Path | None:
    try:
        handle, name = tempfile.mkstemp(prefix="ssd-error-", suffix=".log")
        with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
            file.write(trace)
    except OSError:
        return None
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
