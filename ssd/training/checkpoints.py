"""The two checkpoints of a training: the best detector, and the last with its optimizer, for resuming."""

import logging
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.models.checkpoint import read_average, read_running, restore
from ssd.models.detector import SSD
from ssd.models.save import Packed, pack, save_detector, write_packed
from ssd.runs.folder import BEST, LAST, point_latest
from ssd.training.average import WeightAverage

log = logging.getLogger(__name__)

Running = Mapping[str, NDArray[np.float64]]  # name → (N,) sums of an epoch that is not through


@dataclass(frozen=True)
class Place:
    """How far a training is: epochs that are through, steps of the next one, and how long it has lasted."""

    epoch: int = 0
    step: int = 0
    steps_per_epoch: int = 0
    milliseconds: int = 0  # 0 where it is not known


class Checkpoints:
    """The checkpoints in a run folder; each is written whole or not at all.

    Args:
        folder: of the run.
        minutes: between two of the last checkpoint within an epoch; None: there are none.
    """

    def __init__(self, folder: Path, minutes: float | None = None) -> None:
        self.folder = folder
        self._seconds = float("inf") if minutes is None else 60 * minutes
        self._saved = monotonic()
        self._writer = ThreadPoolExecutor(1, "checkpoint")
        self._writing: Future[None] | None = None

    @property
    def best(self) -> Path:
        """The detector of the best validation."""
        return self.folder / BEST

    @property
    def last(self) -> Path:
        """The detector and optimizer to go on with."""
        return self.folder / LAST

    def save_best(self, model: SSD, place: Place | None = None) -> None:
        """Writes the detector without an optimizer, with how far the training was, if it comes out of one."""
        save_detector(model, self.best, notes=None if place is None else asdict(place))

    def restore_best(self, model: SSD) -> None:
        """Puts the best checkpoint's weights into the network that wrote them."""
        restore(self.best, model)

    @property
    def is_due(self) -> bool:
        """Whether it is time for a last checkpoint within an epoch, and the one before is written.

        Raises:
            UserError: that one could not be written.
        """
        if self._writing is not None and self._writing.done():
            self.finish()
        return self._writing is None and monotonic() - self._saved >= self._seconds

    def save_last(
        self,
        model: SSD,
        optimizer: keras.optimizers.Optimizer,
        place: Place,
        average: WeightAverage | None = None,
        running: Running | None = None,
        in_background: bool = False,
    ) -> None:
        """Writes the detector with the optimizer's state; from its first one on the run is `outputs/latest`.

        Args:
            model, optimizer: as they are now.
            place: where they are.
            average: of the weights.
            running: where that is within an epoch, its sums so far.
            in_background: returns as soon as all is in memory, and writes it while the training goes on.

        Raises:
            UserError: it, or the one that was being written, cannot be written.
        """
        self.finish()
        values = None if average is None else average.values()
        packed = pack(model, optimizer, asdict(place), values, running)
        self._saved = monotonic()
        if in_background:
            self._writing = self._writer.submit(self._write_last, packed)
        else:
            self._write_last(packed)

    def _write_last(self, packed: Packed) -> None:
        is_first = not self.last.exists()
        write_packed(packed, self.last)
        if is_first:
            self.become_latest()

    def finish(self) -> None:
        """Waits until what is being written in the background is on the disk.

        Raises:
            UserError: it cannot be written.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def become_latest(self) -> None:
        """Lets `outputs/latest`, the newest training that has a checkpoint, lead to this run."""
        point_latest(Path("outputs", "latest"), self.folder)

    def restore(self, model: SSD, optimizer: keras.optimizers.Optimizer, steps_per_epoch: int) -> tuple[Place, Running]:
        """Puts the last checkpoint's weights and optimizer state into a model and a built optimizer of the same kind.

        Returns:
            Where the training goes on, and the sums of the epoch that it is within. An epoch begins anew where epochs
            have another number of steps now.

        Raises:
            UserError: where the configuration has changed so that they do not fit.
        """
        notes = restore(self.last, model, optimizer)
        if not notes:  # older than these: epochs had the steps that they have now
            return Place(*divmod(int(np.asarray(optimizer.iterations)), steps_per_epoch), steps_per_epoch), {}
        place = _place(notes, self.last)
        if place.steps_per_epoch != steps_per_epoch:
            return Place(place.epoch, 0, steps_per_epoch, place.milliseconds), {}
        return place, read_running(self.last)

    def restore_average(self, average: WeightAverage) -> None:
        """Goes on with the average of the last checkpoint; it begins at the present weights where that has none.

        Raises:
            UserError: it is of other weights.
        """
        values = read_average(self.last)
        if values is None:
            log.warning("%s has no average of weights; one begins at its weights", self.last)
            return
        try:
            average.load(values)
        except ValueError as error:
            raise UserError(f"{self.last} does not fit ({error}); resume with the run's own frozen layers") from error

    def go_back_to_best(self, model: SSD, optimizer: keras.optimizers.Optimizer, steps_per_epoch: int) -> Place:
        """Puts the best checkpoint's weights into a model, and brings a fresh optimizer to that place of its schedule.

        Returns:
            The end of the epoch that was the best one.

        Raises:
            UserError: it is of another network, or does not say of which epoch it is.
        """
        place = _place(restore(self.best, model), self.best)
        optimizer.iterations.assign(place.epoch * steps_per_epoch)
        return Place(place.epoch, 0, steps_per_epoch, place.milliseconds)


def _place(notes: Mapping[str, int], file: Path) -> Place:
    try:
        return Place(notes["epoch"], notes["step"], notes["steps_per_epoch"], notes.get("milliseconds", 0))
    except KeyError as error:
        raise UserError(
            f"{file} does not say how far its training is; a new one can start from it: checkpoint={file}"
        ) from error
