"""A training by the clock: how long it has lasted, the share of its minutes that is gone, and when it ends."""

from time import monotonic

import tensorflow as tf

FINISH = 15.0  # seconds for the pictures, the report and the detector's way to MLflow, behind the last validation


class Clock:
    """Counts the time of a training, and of its minutes keeps what its end will take.

    The end is the last validation and another of the best checkpoint, each taken to last as long as the latest one
    (before there was one: half a step for each of its batches), and `FINISH`.

    Args:
        minutes: that a training is to last, its end included; None: as long as its epochs take.
        validation_batches: of a validation.

    Attributes:
        minutes: as given.
        share: float32 variable, of the minutes until the end: how much is gone, as of the last `step_done`.
    """

    def __init__(self, minutes: float | None, validation_batches: int = 0) -> None:
        self.minutes = minutes
        self.share = tf.Variable(0.0, trainable=False)
        self._validation_batches = validation_batches
        self._start = monotonic()
        self._validation = 0.0  # seconds of the latest
        self._first = 0.0  # when the first step was done, until which the step is compiled
        self._steps = 0

    def start(self, seconds: float) -> None:
        """Starts, or goes on with so many seconds that are gone already."""
        self._start = monotonic() - seconds
        self._note_share()

    @property
    def seconds(self) -> float:
        """That are gone, those of before a resume included."""
        return monotonic() - self._start

    def step_done(self) -> None:
        """Notes a step, and the share that is gone now."""
        self._steps += 1
        if self._steps == 1:
            self._first = self.seconds
        self._note_share()

    def validated(self, seconds: float) -> None:
        """Notes how long a validation took, its picture and checkpoint included."""
        self._validation = seconds

    @property
    def left(self) -> float:
        """Seconds of training that are left; infinite where nothing but epochs ends it."""
        if self.minutes is None:
            return float("inf")
        return max(60 * self.minutes - self._end() - self.seconds, 0.0)

    @property
    def is_over(self) -> bool:
        """Whether it is time for the end."""
        return self.left == 0

    def _note_share(self) -> None:
        if self.minutes is not None:
            self.share.assign(self.seconds / (self.seconds + self.left) if self.left else 1.0)

    def _end(self) -> float:
        """Seconds that the end will take."""
        validation = self._validation
        if not validation and self._steps > 1:
            validation = self._validation_batches * (self.seconds - self._first) / (self._steps - 1) / 2
        return 2 * validation + FINISH
