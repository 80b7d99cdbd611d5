"""The progress bar of an epoch: losses, images per second, time left in the whole training."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from ssd.training.meter import LossMeter


class EpochBar:
    """Shows one epoch; `advance` after each step."""

    def __init__(self, progress: Progress, task: TaskID, steps_left: int) -> None:
        self._progress = progress
        self._task = task
        self._steps_left = steps_left  # of the whole training, at the start of this epoch
        self._done = 0
        self._start = monotonic()

    def advance(self, meter: LossMeter) -> None:
        """One more step is done; `meter` holds the epoch's means so far."""
        self._done += 1
        seconds_left = (monotonic() - self._start) / self._done * (self._steps_left - self._done)
        self._progress.update(
            self._task,
            advance=1,
            means=meter.summary(),
            left=f"{int(seconds_left) // 3600}:{int(seconds_left) // 60 % 60:02d}:{int(seconds_left) % 60:02d} left",
        )


@contextmanager
def epoch_bar(title: str, steps: int, steps_left: int) -> Iterator[EpochBar]:
    """A bar for `steps` steps that disappears when the epoch ends (the log line of the epoch stays)."""
    shown = get_console().is_terminal  # a file or a pipe gets the log lines only
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TextColumn("{task.fields[means]} {task.fields[left]}"), transient=True, disable=not shown
    ) as progress:
        yield EpochBar(progress, progress.add_task(title, total=steps, means="", left=""), steps_left)
