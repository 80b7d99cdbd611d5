"""Signals that have asked this process to stop, and when it does so."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

# Slurm's before a job's time limit (`sbatch --signal`) and at a preemption are whatever one asks for, mostly these.
BEFORE_THE_LIMIT = tuple(getattr(signal, name) for name in ("SIGUSR1", "SIGUSR2") if hasattr(signal, name))
STOPPING = (signal.SIGINT, signal.SIGTERM, *BEFORE_THE_LIMIT)

received: list[int] = []
_deferred = False


def stop(number: int, frame: FrameType | None) -> None:
    """The handler of `STOPPING`: it stops what runs, or within `deferred` asks it to stop.

    What is received is also kept: some library may make another exception of the interrupt.

    Raises:
        KeyboardInterrupt: outside of `deferred`; and within it at a Ctrl-C that is not the first signal. A batch system
            may well send its signals twice, and kills what is too slow.
    """
    received.append(number)
    if not _deferred or (number == signal.SIGINT and len(received) > 1):
        raise KeyboardInterrupt
    with suppress(RuntimeError):  # it came in the middle of another print
        print("stopping after this step (Ctrl-C once more: at once)", file=sys.stderr)


def check() -> None:
    """Stops what comes to it after a signal: within `deferred`, or where the interrupt of one got lost.

    In a destructor Python ignores exceptions.

    Raises:
        KeyboardInterrupt: a signal has come.
    """
    if received:
        raise KeyboardInterrupt


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block the first signal only asks to stop, and the block stops where it calls `check`, or at its end.

    Raises:
        KeyboardInterrupt: at the end, where a signal has come since the last `check`.
    """
    global _deferred
    _deferred = True
    try:
        yield
    finally:
        _deferred = False
    check()
