"""Signals that have asked this process to stop, and when it does so."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

received: list[int] = []
_deferred = False


def stop(number: int, frame: FrameType | None) -> None:
    """The handler of SIGINT and SIGTERM: it stops what runs, or within `deferred` asks it to stop.

    What is received is also kept: some library may make another exception of the interrupt.

    Raises:
        KeyboardInterrupt: outside of `deferred`, and from the second signal on.
    """
    received.append(number)
    if not _deferred or len(received) > 1:
        raise KeyboardInterrupt
    with suppress(RuntimeError):  # it came in the middle of another print
        print("stopping after this step (once more: at once)", file=sys.stderr)


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
