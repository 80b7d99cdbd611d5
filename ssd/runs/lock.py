"""One writer in a folder."""

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from ssd.errors import UserError
from ssd.runs.files import write_text

log = logging.getLogger(__name__)

_LOCK = ".lock"
_HOLDER = ".lock.holder"
# Other errors are of file systems that know no locks, as some of clusters.
_CANNOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EISDIR, errno.ENOENT)


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keeps a folder to oneself, or waits until one can. The lock goes with its process, however that ends.

    Raises:
        UserError: another process has it, naming that and its machine.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        raise UserError(f"{folder} is in use by {_holder(folder)}; stop that first, or let it end") from None
    except OSError as error:
        if error.errno in _CANNOT_WRITE:
            raise OSError(error.errno, error.strerror, str(folder / _LOCK)) from error
        log.warning("%s cannot be locked (%s): let no two processes work in it", folder, error)
    with suppress(OSError):  # a full disk, which is said by what matters more
        write_text(folder / _HOLDER, f"process {os.getpid()} on {socket.gethostname()}\n")
    try:
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return (folder / _HOLDER).read_text(encoding="utf-8").strip() or "another process"
    except (OSError, ValueError):  # a file that is not UTF-8 is a ValueError
        return "another process"
