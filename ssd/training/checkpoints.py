"""The two checkpoints of a training: the best detector, and the last with its optimizer, for resuming."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras

import ssd.training.optimizers
import ssd.training.schedules  # noqa: F401  (registers what a checkpoint's optimizer refers to)
from ssd.errors import UserError
from ssd.models.checkpoint import load_detector, read_notes, save_detector
from ssd.models.detector import SSD
from ssd.runs.folder import BEST, LAST, point_latest


@dataclass(frozen=True)
class Place:
    """How far a training is: epochs that are through, and steps of the next one."""

    epoch: int = 0
    step: int = 0
    steps_per_epoch: int = 0


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints in a run folder; each is written whole or not at all."""

    folder: Path

    @property
    def best(self) -> Path:
        """The detector of the best validation."""
        return self.folder / BEST

    @property
    def last(self) -> Path:
        """The detector and optimizer to go on with."""
        return self.folder / LAST

    def save_best(self, model: SSD) -> None:
        """Writes the detector without an optimizer."""
        save_detector(model, self.best)

    def save_last(self, model: SSD, optimizer: keras.optimizers.Optimizer, place: Place) -> None:
        """Writes the detector with the optimizer's state; from its first one on the run is `outputs/latest`."""
        is_first = not self.last.exists()
        save_detector(model, self.last, optimizer, notes=asdict(place))
        if is_first:
            self.become_latest()

    def become_latest(self) -> None:
        """Lets `outputs/latest`, the newest training that has a checkpoint, lead to this run."""
        point_latest(Path("outputs", "latest"), self.folder)

    def restore(self, model: SSD, optimizer: keras.optimizers.Optimizer, steps_per_epoch: int) -> Place:
        """Puts the last checkpoint's weights and optimizer state into a model and a built optimizer of the same kind.

        Returns:
            Where the training goes on. An epoch begins anew where epochs have another number of steps now.

        Raises:
            UserError: where the configuration has changed so that they do not fit.
        """
        stored = load_detector(self.last, with_optimizer=True)
        if stored.class_names != model.class_names:
            raise UserError(
                f"{self.last} detects {', '.join(stored.class_names)}, but the data set has "
                f"{', '.join(model.class_names)}; resume with the run's own data set"
            )
        if _shapes(stored.variables) != _shapes(model.variables):
            raise UserError(f"{self.last} holds another network; resume with the run's own backbone and detector")
        if _shapes(stored.optimizer.variables) != _shapes(optimizer.variables):
            raise UserError(f"{self.last} was written with another optimizer; resume with the run's own optimizer")
        model.set_weights(stored.get_weights())
        for variable, value in zip(optimizer.variables, stored.optimizer.variables, strict=True):
            variable.assign(value)
        if not (notes := read_notes(self.last)):  # older than these: epochs had the steps that they have now
            return Place(*divmod(int(optimizer.iterations), steps_per_epoch), steps_per_epoch)
        place = Place(**notes)
        return place if place.steps_per_epoch == steps_per_epoch else Place(place.epoch, 0, steps_per_epoch)


def _shapes(variables: list[keras.Variable]) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in variables]
