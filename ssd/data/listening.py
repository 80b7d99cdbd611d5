"""What readers log, kept to be said later: there may be no log yet, or nothing may be read again."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

_READERS = "ssd.data"


@contextmanager
def listening(*names: str) -> Iterator[list[logging.LogRecord]]:
    """The list of all that is logged meanwhile, from INFO on, by `ssd.data` and loggers of other names."""
    heard: list[logging.LogRecord] = []
    handler = _Listener(heard)
    with ExitStack() as stack:
        for name in (_READERS, *names):
            stack.enter_context(_taken_over(logging.getLogger(name), handler))
        yield heard


@contextmanager
def _taken_over(logger: logging.Logger, handler: logging.Handler) -> Iterator[None]:
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, level, logger.propagate = before
        logger.setLevel(level)


def say(heard: Sequence[logging.LogRecord]) -> None:
    """Logs it now."""
    for record in heard:
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


class _Listener(logging.Handler):
    def __init__(self, heard: list[logging.LogRecord]) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self._heard.append(record)
