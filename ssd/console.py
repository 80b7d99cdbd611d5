"""The terminal: log lines that do not cut through a progress bar, and signs of life while something takes its time."""

import io
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from time import monotonic

from rich import get_console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

FIRST_SIGN = 5.0  # seconds of silence in a file or a pipe; the next come after twice as long each


class ConsoleHandler(logging.StreamHandler):
    """Logs to standard output, above whatever bar is being drawn there (conf/config.yaml)."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            get_console().print(_line(self.format(record)), soft_wrap=True)
        except OSError:  # a terminal that is gone, or a full disk that its lines go to
            pass
        except Exception:  # as every handler: a log line must not end what it tells of
            self.handleError(record)


class LogFile(logging.FileHandler):
    """The log of a run (conf/config.yaml); that it cannot be written, on a full disk, is said once."""

    _is_said = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_said:
            self._is_said = True
            say(f"{os.path.relpath(self.baseFilename)} cannot be written ({error.strerror}); its lines are only here")

    def close(self) -> None:
        with suppress(OSError):  # what could not be written cannot be now either
            super().close()


def _line(text: str) -> Text:
    """The text as it is; the name of a file may have bytes that are no letter in UTF-8."""
    return Text(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def say(line: str) -> None:
    """One plain line, above whatever bar is being drawn."""
    get_console().print(_line(line), soft_wrap=True)


@contextmanager
def others_silenced() -> Iterator[None]:
    """Swallows what libraries print; lines and bars of this module still reach the terminal."""
    console = get_console()
    console.file = console.file  # the terminal, where it would follow sys.stdout
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        console._file = None  # follows again


@contextmanager
def waiting(what: str) -> Iterator[Callable[[str], None]]:
    """Shows what is being waited for: a moving line that goes when it is done; in a file or a pipe a line now and then.

    One within another shows what the inner one waits for. What is given takes other words, as things go on.

    Args:
        what: e.g. "importing TensorFlow".
    """
    with _moving(what) if get_console().is_terminal else _now_and_then(what) as tell:
        yield tell


_lines: list[Progress] = []  # what is being drawn


@contextmanager
def _moving(what: str) -> Iterator[Callable[[str], None]]:
    if _lines:
        line, task = _lines[-1], _lines[-1].tasks[0]
        outer = task.description
        line.update(task.id, description=what)
        try:
            yield lambda words: line.update(task.id, description=words)
        finally:
            line.update(task.id, description=outer)
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as line:
        number = line.add_task(what, total=None)
        _lines.append(line)
        try:
            yield lambda words: line.update(number, description=words)
        finally:
            _lines.pop()


@contextmanager
def _now_and_then(what: str) -> Iterator[Callable[[str], None]]:
    done, words = threading.Event(), [what]
    reporter = threading.Thread(target=_report, args=(words, done), daemon=True)
    reporter.start()
    try:
        yield lambda others: words.__setitem__(0, others)
    finally:
        done.set()
        reporter.join()


@contextmanager
def counting(what: str, steps: int) -> Iterator[Callable[[], None]]:
    """Like `waiting`, for something that goes in steps: what is given is called after each."""
    if not get_console().is_terminal:
        with waiting(what):
            yield lambda: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda: progress.advance(task)


@contextmanager
def rating(what: str, steps: int | None) -> Iterator[Callable[[int], None]]:
    """Like `counting`, of images: with how many a second, and the time left where there is a known number of them.

    What is given is called with how many are done.
    """
    if not get_console().is_terminal:
        of_all = f" of {steps}" if steps is not None else ""
        with waiting(what) as tell:
            yield lambda done: tell(f"{what}, {done}{of_all}")
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _ImagesPerSecond())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), transient=True) as progress:
        task = progress.add_task(what, total=steps)
        yield lambda done: progress.update(task, completed=done)


class _ImagesPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.1f} images/s")


def _report(words: list[str], done: threading.Event) -> None:
    start, pause = monotonic(), FIRST_SIGN
    while not done.wait(pause):
        say(f"{words[0]}, {monotonic() - start:.0f} s so far")
        pause *= 2
