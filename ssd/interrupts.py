"""Signals that have asked this process to stop."""

received: list[int] = []


def check() -> None:
    """Stops what comes to it after a signal whose interrupt got lost: in a destructor Python ignores exceptions.

    Raises:
        KeyboardInterrupt: a signal has come.
    """
    if received:
        raise KeyboardInterrupt
