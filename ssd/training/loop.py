"""The training loop, read from top to bottom: epochs, validation, checkpoints, early stopping."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import keras
import numpy as np

from ssd import interrupts
from ssd.data.pipeline import Batch, Batches
from ssd.errors import UserError
from ssd.figures.validation_sheet import ValidationSheet
from ssd.models.detector import SSD
from ssd.runs.best_by import main_metrics
from ssd.runs.checkpoint import check_checkpoint
from ssd.runs.folder import HISTORY, RESULTS
from ssd.runs.results import COLUMNS, as_written, write_history, write_results
from ssd.tracking.tracker import Tracker
from ssd.training.average import WeightAverage
from ssd.training.checkpoints import Checkpoints, Place, Running
from ssd.training.clock import Clock
from ssd.training.diagnostics import Diagnostics
from ssd.training.history import History
from ssd.training.loss import Losses
from ssd.training.meter import LossMeter, NotFinite
from ssd.training.past import past_epochs
from ssd.training.progress import TrainingProgress, in_words
from ssd.training.validator import Validator

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trainer:
    """A training: its parts, and `run` that goes through its epochs.

    Attributes:
        model, optimizer: both built.
        begin: where to.
        train_step: from `make_train_step`.
        batches: of the training set.
        validator: of the validation set.
        epochs: in all; not used where the clock ends the training.
        clock: not started yet; how long it is to last, or not.
        evaluate_every: epochs between validations; the last epoch, which the clock may end early, is always validated.
        best_by: the column of results.csv that the best validation has most of.
        patience: validations without a better one before it stops; None: never.
        stop: asked after each validation but the last epoch's, with its row: True ends the training.
        on_first_step: called once the training goes on.
        folder: of the run.
        average: of the weights, which is validated and kept as the best in their place; None: they are.
        checkpoints, sheet, tracker: where things are written.
        diagnostics: those that the training step has; None: none.
        running: of the epoch that it begins within, if it does, the sums so far; the diagnostics have theirs already.
    """

    model: SSD
    optimizer: keras.optimizers.Optimizer
    begin: Place
    train_step: Callable[[Batch], Losses]
    batches: Batches
    validator: Validator
    epochs: int
    clock: Clock
    evaluate_every: int
    best_by: str
    patience: int | None
    stop: Callable[[Mapping[str, float]], bool] | None
    on_first_step: Callable[[], object]
    checkpoints: Checkpoints
    folder: Path
    sheet: ValidationSheet
    tracker: Tracker
    average: WeightAverage | None = None
    diagnostics: Diagnostics | None = None
    running: Running = field(default_factory=dict)

    def run(self) -> History:
        """Trains to the last epoch, or until the clock, patience or `stop` ends it, and says what happened.

        Interrupted, it stops after the step that it is at, and saves, or after the batch of a validation, before which
        it has saved. However it ends, from its last checkpoint it goes on to the same end: what follows from an epoch
        is written in the order results, last checkpoint, best checkpoint, results, MLflow, and on the way back rows of
        epochs that the checkpoint does not know are left out, and what comes behind it is done again.

        Raises:
            UserError: where a loss is not finite, naming the images of the batch, or a checkpoint cannot be written.
        """
        self.clock.start(self.begin.milliseconds / 1000)
        history = self._past()
        self.clock.start(max(self.begin.milliseconds / 1000, 60 * history.minutes))
        steps = None if self._is_timed else (self.epochs - self.begin.epoch) * len(self.batches) - self.begin.step
        progress = TrainingProgress(steps, self.clock)
        try:
            with interrupts.deferred():
                if self._lacks_validation(history.last):
                    self._end_epoch(dict(history.last), history)
                for epoch in count(self.begin.epoch) if self._is_timed else range(self.begin.epoch, self.epochs):
                    if self._is_enough(history):
                        break
                    row = {"epoch": epoch + 1, **self._train(epoch, progress)}
                    row |= {"step": self._steps_done(), "lr": float(np.asarray(self.optimizer.learning_rate))}
                    row["minutes"] = self.clock.seconds / 60
                    row = as_written(row)
                    history.note(row)
                    self._write(history)
                    self._save(self._place(epoch + 1))
                    self._end_epoch(row, history)
                self._write(history)  # where no epoch was left, and its file was lost
        except KeyboardInterrupt:
            log.warning("interrupted at step %d; continue with resume=%s", self._steps_done(), self.folder)
            raise
        finally:
            self.checkpoints.finish()
        return history

    @property
    def _is_timed(self) -> bool:
        return self.clock.minutes is not None

    def _save(self, place: Place, running: Running | None = None, in_background: bool = False) -> None:
        self.checkpoints.save_last(self.model, self.optimizer, place, self.average, running, in_background)

    def _place(self, epoch: int, step: int = 0) -> Place:
        return Place(epoch, step, len(self.batches), round(1000 * self.clock.seconds))

    def _write(self, history: History) -> None:
        write_history(self.folder / HISTORY, history.rows)
        known = [{name: row[name] for name in COLUMNS if name in row} for row in history.rows]
        write_results(self.folder / RESULTS, known)

    def _past(self) -> History:
        """The epochs that are through; those that a killed run could not send any more are tracked now."""
        history = History(self.best_by)
        rows, unsure = past_epochs(self.folder, self.begin, self.tracker)
        tracked = set(self.tracker.curves(("train/loss",))) if rows else set()
        for row in rows:
            history.add(row)
            if int(row["epoch"]) not in tracked and not (row is rows[-1] and self._lacks_validation(row)):
                self.tracker.log_metrics(history.tracked(row), int(row["epoch"]))
        if history.best or unsure:
            self._look_at_best(history, unsure)
        return history

    def _look_at_best(self, history: History, unsure: Sequence[int]) -> None:
        """A lost best checkpoint is replaced; one of an epoch that is not known exactly is validated once more.

        Or a worse epoch would take its place.
        """
        best = self.checkpoints.best
        try:
            if not best.exists():
                raise UserError(f"{best} is missing")
            check_checkpoint(best)
        except UserError as error:
            log.warning("%s; the best of the epochs from here on is kept", str(error).partition(";")[0])
            history.best, history.validations_since_best = {}, 0
            if self.begin.step == 0 and self.best_by in history.last:  # the present weights are those of that row
                history.add(history.last)
                with self._judged_weights():
                    self.checkpoints.save_best(self.model, self.begin)
            return
        if unsure:
            last = self.model.get_weights()
            self.checkpoints.restore_best(self.model)
            metrics = {f"val/{name}": value for name, value in self.validator()[1].evaluation.metrics.items()}
            self.model.set_weights(last)
            log.info("the best checkpoint, validated once more: %s %.4g", self.best_by, metrics[self.best_by])
            history.correct_best(as_written({"epoch": unsure[-1], **metrics}), unsure)

    def _lacks_validation(self, row: Mapping[str, float]) -> bool:
        """Whether a run was stopped between an epoch's last step and the end of its validation."""
        return bool(row) and self._is_due(int(row["epoch"])) and "val/loss" not in row

    def _is_due(self, epoch: int) -> bool:
        return epoch % self.evaluate_every == 0 or (self.clock.is_over if self._is_timed else epoch == self.epochs)

    def _is_enough(self, history: History) -> bool:
        """Whether the epochs so far, also those of before a resume, say that no more are needed."""
        if self.patience is not None and history.validations_since_best >= self.patience:
            log.info("stopped early: %d validations without a better %s", self.patience, self.best_by)
            return True
        if self.clock.is_over and "val/loss" in history.last:
            return True
        return self.stop is not None and self.best_by in history.last and self.stop(history.last)

    def _steps_done(self) -> int:
        return int(np.asarray(self.optimizer.iterations))

    def _train(self, epoch: int, progress: TrainingProgress) -> dict[str, float]:
        """One epoch, or what is left of it; the means of its losses."""
        skip, running = (self.begin.step, self.running) if epoch == self.begin.epoch else (0, {})
        meter = LossMeter(running.get("losses"), self.batches.member.count)
        with progress.epoch(self._title(epoch + 1), len(self.batches) - skip) as bar:
            for step, batch in enumerate(meter.timed(self.batches.epoch(epoch, start=skip)), start=skip):
                if step == skip:
                    interrupts.check()  # all of before is saved
                else:
                    self._between_steps(epoch, step, meter)
                self._check_finite(meter.add(self.train_step(batch), batch))
                if self.average is not None:
                    self.average.update(self.optimizer.iterations)
                self.clock.step_done()
                bar.advance(meter)
                if progress.done == 1:
                    self.on_first_step()
                if self.clock.is_over:
                    break
        self._check_finite(meter.read())
        means = meter.means()
        return means if self.diagnostics is None else means | self.diagnostics.end_epoch(epoch + 1, batch)

    def _between_steps(self, epoch: int, step: int, meter: LossMeter) -> None:
        """Saves, after so many steps of an epoch, where it is time to or a signal asks the training to stop."""
        stops = bool(interrupts.received)  # one that comes from now on is for the next step
        if not (stops or self.checkpoints.is_due):
            return
        self._check_finite(meter.read())
        running = {"losses": meter.sums} | ({} if self.diagnostics is None else {"diagnostics": self.diagnostics.sums})
        self._save(self._place(epoch, step), running, in_background=not stops)
        if stops:
            interrupts.check()

    def _title(self, epoch: int) -> str:
        return f"epoch {epoch}" if self._is_timed else f"epoch {epoch}/{self.epochs}"

    def _check_finite(self, failed: NotFinite | None) -> None:
        if failed is None:
            return
        annotations = self.batches.dataset.annotations
        ids = ", ".join(annotations[index].id for index in failed.batch["index"].numpy())
        step = self._steps_done() - failed.steps_since
        raise UserError(
            f"the loss is not finite at step {step}, in the batch of images {ids}; look at their boxes, or lower "
            "optimizer.learning_rate, raise schedule.warmup_steps or set optimizer.global_clipnorm"
        )

    def _validate(self, epoch: int) -> dict[str, float]:
        losses, validation = self.validator()
        self.tracker.log_image(self.sheet.draw(validation.detections), "predictions", epoch)
        return {f"val/{name}": value for name, value in (losses | validation.evaluation.metrics).items()}

    def _judged_weights(self) -> AbstractContextManager[None]:
        """In which the model has the weights that are validated and kept."""
        return nullcontext() if self.average is None else self.average.in_place()

    def _end_epoch(self, row: dict[str, float], history: History) -> None:
        """Validates where it is time to; completes the row, and writes the best checkpoint, results.csv and MLflow."""
        epoch, begin = int(row["epoch"]), self.clock.seconds
        if self._is_due(epoch):
            with self._judged_weights():
                row |= self._validate(epoch)
                row = as_written(row | {"minutes": self.clock.seconds / 60})
                if history.add(row):
                    self.checkpoints.save_best(self.model, self._place(epoch))
        else:
            history.add(row)
        if "val/loss" in row:
            self.clock.validated(self.clock.seconds - begin)
        self._write(history)
        self.tracker.log_metrics(history.tracked(row), epoch)
        validated = (f"val/{name}" for name in main_metrics(self.best_by))
        shown = ("train/loss", "val/loss", *validated, "train/images_per_second", "lr", "minutes")
        parts = [f"{name} {row[name]:.4g}" for name in shown if name in row]
        left = self.clock.left if self._is_timed else 60 * row["minutes"] / epoch * (self.epochs - epoch)
        if left > 0:
            parts.append(f"about {in_words(left)} left")
        log.info("%s: %s", self._title(epoch), ", ".join(parts))
