"""Means of the losses over an epoch, and how long its steps waited for their batches."""

from collections.abc import Iterable, Iterator
from time import monotonic
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.data.pipeline import Batch
from ssd.training.loss import Losses

READ_EVERY = 10  # steps: to read a loss is to wait for the device, which then waits for the next step


class NotFinite(NamedTuple):
    """A step whose loss was not finite: its batch, and how many steps have been done since."""

    batch: Batch
    steps_since: int


class LossMeter:
    """Adds up the losses of the steps and the images that passed; losses stay on the device for `READ_EVERY` steps.

    Args:
        sums: of the epoch's steps before, from `sums`; None: there are none.
        processes: that share each batch, of which one's part is seen here.
    """

    def __init__(self, sums: NDArray[np.float64] | None = None, processes: int = 1) -> None:
        self._processes = processes
        values = np.zeros(len(Losses._fields) + 4)
        if sums is not None and len(sums) == len(values):  # else of a version that counted others
            values = sums
        *losses, steps, images, waited, seconds = values
        self._sums = np.array(losses)
        self._steps = int(steps)  # that the sums are of
        self._pending: list[tuple[Losses, Batch]] = []
        self._images = int(images)
        self._start = monotonic() - float(seconds)
        self._waited = float(waited)

    @property
    def sums(self) -> NDArray[np.float64]:
        """(N,) of the steps that were read, exact, and how long they took."""
        return np.array([*self._sums, self._steps, self._images, self._waited, monotonic() - self._start])

    def timed(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """The same batches; the time until each is there counts as waiting for data."""
        rest = iter(batches)
        while True:
            start = monotonic()
            batch = next(rest, None)
            self._waited += monotonic() - start
            if batch is None:
                return
            yield batch

    def add(self, losses: Losses, batch: Batch) -> NotFinite | None:
        """Adds a step; gives the first one that was not finite, where the losses are read now."""
        self._pending.append((losses, batch))
        self._images += len(batch["index"]) * self._processes
        return self.read() if len(self._pending) == READ_EVERY or not self._steps else None

    def read(self) -> NotFinite | None:
        """Waits for the steps so far; gives the first one that was not finite."""
        pending, self._pending = self._pending, []
        if not pending:
            return None
        values = tf.stack([tf.stack(losses) for losses, _ in pending]).numpy().astype(np.float64)
        for number, (row, (_, batch)) in enumerate(zip(values, pending, strict=True), start=1):
            if not np.isfinite(row).all():
                return NotFinite(batch, len(pending) - number)
            self._sums += row
            self._steps += 1
        return None

    def means(self) -> dict[str, float]:
        """Of the steps that were read: train/loss, train/loss_cls, train/loss_box, and train/unmatched.

        That is the share of the objects that no prior overlaps by `detector.match_iou`. And of all so far:
        train/images_per_second, and train/waiting, the share of the time that went by until the batches were there.
        """
        loss, classification, localisation = (self._sums[:3] / max(self._steps, 1)).tolist()
        objects, unmatched = self._sums[4:].tolist()
        seconds = max(monotonic() - self._start, 1e-9)
        return {
            "train/loss": loss,
            "train/loss_cls": classification,
            "train/loss_box": localisation,
            "train/unmatched": unmatched / max(objects, 1.0),
            "train/images_per_second": self._images / seconds,
            "train/waiting": self._waited / seconds,
        }

    def summary(self) -> str:
        """The means, for a person."""
        means = self.means()
        return (
            f"loss {means['train/loss']:.3f} (cls {means['train/loss_cls']:.3f}, box {means['train/loss_box']:.3f}) "
            f"{means['train/images_per_second']:.1f} images/s, {means['train/waiting']:.0%} waiting for data"
        )
