"""Checkpoints: `.keras` files that hold the whole detector, the last one with its optimizer, for resuming."""

import os
from dataclasses import dataclass
from pathlib import Path

import keras

from ssd.errors import UserError
from ssd.inference.predictor import load_detector
from ssd.models.detector import SSD


@dataclass(frozen=True)
class Checkpoints:
    """The two checkpoints of a run folder; each is written whole or not at all."""

    folder: Path

    @property
    def best(self) -> Path:
        """The detector with the highest val/mAP50."""
        return self.folder / "best.keras"

    @property
    def last(self) -> Path:
        """The detector and optimizer to go on with."""
        return self.folder / "last.keras"

    def save_best(self, model: SSD) -> None:
        """Writes the detector without an optimizer: a third of the size."""
        self._save(model, self.best)

    def save_last(self, model: SSD, optimizer: keras.optimizers.Optimizer) -> None:
        """Writes the detector with the optimizer's state, its step count included."""
        model.compile(optimizer=optimizer)
        self._save(model, self.last)
        model.compiled, model.optimizer = False, None  # or `save_best` would write it too

    def restore(self, model: SSD, optimizer: keras.optimizers.Optimizer) -> None:
        """Puts the last checkpoint's weights and optimizer state into a model and a built optimizer of the same kind.

        Raises:
            UserError: where the configuration has changed so that they do not fit.
        """
        stored = load_detector(self.last)
        copy_weights(stored, model, self.last)
        theirs, ours = stored.optimizer.variables, optimizer.variables
        if [v.shape for v in theirs] != [v.shape for v in ours]:
            raise UserError(f"{self.last} was written with another optimizer; resume with the run's own optimizer")
        for variable, value in zip(ours, theirs, strict=True):
            variable.assign(value)

    def _save(self, model: SSD, path: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.stem}.partial.keras")
        model.save(partial)
        os.replace(partial, path)


def copy_weights(source: SSD, target: SSD, file: Path) -> None:
    """Starts `target` from the weights of `source`, read from `file`.

    Raises:
        UserError: where the two are not the same network for the same classes.
    """
    if source.class_names != target.class_names:
        raise UserError(
            f"{file} detects {', '.join(source.class_names)}, but the data set has {', '.join(target.class_names)}; "
            "use a checkpoint of the same classes"
        )
    if [v.shape for v in source.variables] != [v.shape for v in target.variables]:
        raise UserError(f"{file} holds another network; use the backbone and detector it was trained with")
    target.set_weights(source.get_weights())
