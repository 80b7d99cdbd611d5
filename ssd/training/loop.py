"""The training loop, read from top to bottom: epochs, validation, checkpoints, early stopping."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

import keras

from ssd.data.pipeline import Batches
from ssd.errors import UserError
from ssd.evaluation.evaluate import evaluate
from ssd.models.detector import SSD
from ssd.run_folder import COLUMNS, append_result
from ssd.tracking import Tracker
from ssd.training.checkpoints import Checkpoints
from ssd.training.loss import Losses
from ssd.training.meter import LossMeter
from ssd.training.pictures import ValidationPictures
from ssd.training.progress import epoch_bar
from ssd.training.step import Batch, Validator

log = logging.getLogger(__name__)

BEST_BY = "val/mAP50"


@dataclass
class History:
    """What happened so far, also before a resume: minutes of training, the best validation and how long ago it was."""

    minutes: float = 0.0
    best: dict[str, float] = field(default_factory=dict)
    validations_since_best: int = 0

    @classmethod
    def of(cls, rows: list[dict[str, float]]) -> "History":
        """From the rows of results.csv."""
        history = cls(minutes=rows[-1]["minutes"] if rows else 0.0)
        for row in rows:
            history.add(row)
        return history

    def add(self, row: Mapping[str, float]) -> bool:
        """Takes an epoch's row in; True where it is the best validation so far."""
        if BEST_BY not in row:
            return False
        if not self.best or row[BEST_BY] > self.best[BEST_BY]:
            self.best, self.validations_since_best = dict(row), 0
            return True
        self.validations_since_best += 1
        return False


@dataclass(frozen=True, eq=False)
class Trainer:
    """A training: its parts, and `run` that goes through its epochs.

    Attributes:
        model, optimizer: both built; the optimizer's step count says where to begin.
        train_step: from `make_train_step`.
        batches: of the training set.
        validator: of the validation set.
        epochs: in all.
        evaluate_every: epochs between validations; the last epoch is always validated.
        patience: validations without a better val/mAP50 before it stops; None: never.
        checkpoints, results, pictures, tracker: where things are written.
    """

    model: SSD
    optimizer: keras.optimizers.Optimizer
    train_step: Callable[[Batch], Losses]
    batches: Batches
    validator: Validator
    epochs: int
    evaluate_every: int
    patience: int | None
    checkpoints: Checkpoints
    results: Path
    pictures: ValidationPictures
    tracker: Tracker

    def run(self, history: History) -> History:
        """Trains to the last epoch (or until patience ends) and returns what happened; interrupted, it saves first.

        Raises:
            UserError: where a loss is not finite, naming the images of the batch.
        """
        start = monotonic() - 60 * history.minutes
        first, skip = divmod(self._steps_done(), len(self.batches))
        try:
            for epoch in range(first, self.epochs):
                row = {"epoch": epoch + 1, **self._train(epoch, skip if epoch == first else 0)}
                row |= {"step": self._steps_done(), "lr": float(self.optimizer.learning_rate)}
                if (epoch + 1) % self.evaluate_every == 0 or epoch + 1 == self.epochs:
                    row |= self._validate(epoch + 1)
                row["minutes"] = history.minutes = (monotonic() - start) / 60
                self._record(row, history)
                if self.patience is not None and history.validations_since_best >= self.patience:
                    log.info("stopped early: %d validations without a better %s", self.patience, BEST_BY)
                    break
        except KeyboardInterrupt:
            self.checkpoints.save_last(self.model, self.optimizer)
            log.warning("interrupted at step %d; continue with resume=%s", self._steps_done(), self.results.parent)
            raise
        return history

    def _steps_done(self) -> int:
        return int(self.optimizer.iterations)

    def _train(self, epoch: int, skip: int) -> dict[str, float]:
        """One epoch, from its batch `skip` on; the means of its losses."""
        meter = LossMeter()
        steps = len(self.batches) - skip
        title = f"epoch {epoch + 1}/{self.epochs}"
        with epoch_bar(title, steps, self.epochs * len(self.batches) - self._steps_done()) as bar:
            for batch in self.batches.epoch(epoch, start=skip):
                losses = self.train_step(batch)
                if not meter.add(losses, len(batch["index"])):
                    raise UserError(self._not_finite(batch))
                bar.advance(meter)
        return meter.means()

    def _not_finite(self, batch: Batch) -> str:
        annotations = self.batches.dataset.annotations
        ids = ", ".join(annotations[index].id for index in batch["index"].numpy())
        return (
            f"the loss is not finite at step {self._steps_done()}, in the batch of images {ids}; look at their boxes, "
            "or lower optimizer.learning_rate, raise schedule.warmup_steps or set optimizer.global_clipnorm"
        )

    def _validate(self, epoch: int) -> dict[str, float]:
        dataset = self.validator.batches.dataset
        validation = self.validator()
        annotations = dataset.annotations[: len(validation.detections)]
        metrics = evaluate(validation.detections, annotations, dataset.class_names).metrics
        self.tracker.log_image(self.pictures.draw(validation.detections), "predictions", epoch)
        return {f"val/{name}": value for name, value in (validation.losses | metrics).items()}

    def _record(self, row: dict[str, float], history: History) -> None:
        """Writes an epoch: the best checkpoint, results.csv, the last checkpoint, then MLflow and the terminal."""
        if history.add(row):
            self.checkpoints.save_best(self.model)
        append_result(self.results, {name: row[name] for name in COLUMNS if name in row})
        self.checkpoints.save_last(self.model, self.optimizer)
        best = {f"best/{BEST_BY.removeprefix('val/')}": history.best[BEST_BY]} if history.best else {}
        metrics = {name: value for name, value in row.items() if name not in ("epoch", "step")}
        self.tracker.log_metrics(metrics | best, int(row["epoch"]))
        shown = ("train/loss", "val/loss", "val/mAP50", "val/mAP", "train/images_per_second", "lr", "minutes")
        parts = [f"{name} {row[name]:.4g}" for name in shown if name in row]
        log.info("epoch %d/%d: %s", row["epoch"], self.epochs, ", ".join(parts))
