"""What a person sees of a training: a bar for each epoch, what is being compiled, and how long it will take."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from time import monotonic

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from ssd.console import FIRST_SIGN, say, waiting
from ssd.training.clock import Clock
from ssd.training.meter import LossMeter

log = logging.getLogger(__name__)

_COMPILING = "compiling the training step"
_TIMED = 10  # steps behind the first one, which is compiled, that the estimate is made from


class TrainingProgress:
    """Follows the steps of a training, and says once, after the first ones, about how long all will take.

    Args:
        steps: that are still to be done, in all epochs; None: as many as the clock leaves time for.
        clock: of the training.
    """

    def __init__(self, steps: int | None, clock: Clock) -> None:
        self._left = steps
        self._clock = clock
        self.done = 0  # in this process
        self._first = 0.0  # when the first step was done, until which the step is compiled

    @contextmanager
    def epoch(self, title: str, steps: int) -> Iterator["EpochBar"]:
        """Shows `steps` steps; on a terminal as a bar that goes at the end, else as a line now and then."""
        shown = get_console().is_terminal
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with (
            Progress(
                *columns, TextColumn("{task.fields[note]}"), TimeElapsedColumn(), transient=True, disable=not shown
            ) as progress,
            ExitStack() as compiling,
        ):
            task = progress.add_task(title, total=steps, note="" if self.done else _COMPILING)
            if not shown and not self.done:
                compiling.enter_context(waiting(f"{title}: {_COMPILING}"))
            yield EpochBar(self, progress, task, compiling)

    def step_done(self) -> str:
        """Counts a step; the time left in steps, for a person."""
        self.done += 1
        self._left = None if self._left is None else self._left - 1
        if self.done == 1:
            self._first = monotonic()
            return ""
        seconds = (monotonic() - self._first) / (self.done - 1)
        left = self._clock.left if self._left is None else seconds * self._left
        if self.done == 1 + _TIMED:
            end = f"{datetime.now() + timedelta(seconds=left):%H:%M}"
            if self._left is None:
                steps = f"{round(left / seconds):,}"
                log.info("%.2g s a step: about %s until %s, without validations", seconds, f"{steps} steps", end)
            else:
                log.info(
                    "%.2g s a step: the %s steps left take about %s, until %s, and the validations beside them",
                    *(seconds, f"{self._left:,}", in_words(left), end),
                )
        return f"{in_words(left)} left"


class EpochBar:
    """Shows one epoch; `advance` after each step."""

    def __init__(self, whole: TrainingProgress, progress: Progress, task: TaskID, compiling: ExitStack) -> None:
        self._whole, self._progress, self._task, self._compiling = whole, progress, task, compiling
        self._start = monotonic()
        self._next_line = FIRST_SIGN

    def advance(self, meter: LossMeter) -> None:
        """One more step is done; `meter` holds the epoch's means so far."""
        self._compiling.close()
        left = self._whole.step_done()
        note = f"{meter.summary()} {left}"
        self._progress.update(self._task, advance=1, note=note)
        seconds = monotonic() - self._start
        if self._progress.disable and seconds >= self._next_line:
            self._next_line = 2 * seconds
            task = self._progress.tasks[self._task]
            say(f"{task.description}: {task.completed:.0f}/{task.total:.0f} {note}")


def in_words(seconds: float) -> str:
    """A duration, with what matters of it.

    >>> [in_words(s) for s in (8.4, 130, 5400, 200_000)]
    ['8 s', '2 min', '1 h 30 min', '56 h']
    """
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 600 else f"{round(minutes / 60)} h"
