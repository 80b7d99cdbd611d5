"""One writer in a folder."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ssd.errors import UserError

log = logging.getLogger(__name__)

_LOCK = ".lock"
_HOLDER = ".lock.holder"


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[None]:
    """Keeps a folder to oneself, or waits until one can. The lock goes with its process, however that ends.

    Raises:
        UserError: another process has it, naming that and its machine.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=-1 if wait else 0)
        (folder / _HOLDER).write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except Timeout:
        raise UserError(f"{folder} is in use by {_holder(folder)}; stop that first, or let it end") from None
    except OSError as error:  # some file systems of clusters
        log.warning("%s cannot be locked (%s): let no two processes work in it", folder, error)
    try:
        yield
    finally:
        lock.release()


def _holder(folder: Path) -> str:
    try:
        return (folder / _HOLDER).read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
