"""Training, from a configuration to a run folder and an MLflow run."""

import logging
import os
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
import rich
from omegaconf import DictConfig

from ssd.config.schemas import ResumeFrom
from ssd.console import waiting
from ssd.data.digest import dataset_label
from ssd.data.pipeline import Batches
from ssd.data.sample import Splits
from ssd.data.sound import with_sound_images
from ssd.device import has_gpu, make_deterministic, set_memory_growth
from ssd.errors import UserError
from ssd.evaluation.evaluate import Evaluation
from ssd.evaluation.record import judged_of, write_judged
from ssd.experiment import build, describe, publish
from ssd.experiment.announce import announcement
from ssd.experiment.fitted_priors import settle_priors
from ssd.experiment.record import write_record
from ssd.experiment.skipped import write_skipped
from ssd.experiment.splits import build_splits, on_error_of, record_split
from ssd.figures.class_table import class_table
from ssd.figures.training_curves import curves_from_csv
from ssd.figures.validation_sheet import ValidationSheet
from ssd.inspection.quick import say_findings
from ssd.models.detector import SSD
from ssd.models.weights_digest import weights_digest
from ssd.runs.best_by import main_metrics, metric_of
from ssd.runs.files import clear_leftovers
from ssd.runs.folder import IMAGE_MEMORY, PLOTS, PRUNED_FILE, RESULTS, VALIDATION
from ssd.runs.going_on import check_can_go_on, note_command
from ssd.runs.reading import note_in
from ssd.runs.results import read_results, write_results
from ssd.sweep.search.pruning import pruning_of_this_job
from ssd.tracking.tracker import Tracker
from ssd.training.average import WeightAverage
from ssd.training.checkpoints import Checkpoints, Place, Running
from ssd.training.clock import Clock
from ssd.training.diagnostics import Diagnostics
from ssd.training.history import History
from ssd.training.joining import join_replicas, loss_of_others_said
from ssd.training.loop import Trainer
from ssd.training.replicas import Replicas
from ssd.training.step import make_train_step
from ssd.training.validator import Validator, choose_validation_runtime, validation_network
from ssd.weights.transfer import transfer

log = logging.getLogger(__name__)
record = logging.getLogger("ssd.record")  # into run.log only

_SOON_SEEN = 1000  # images, a second or two's work


def run(cfg: DictConfig, folder: Path) -> float:
    """Trains as configured, leaves everything in `folder`, and gives the best checkpoint's `training.best_by`."""
    log.info("run folder: %s", os.path.relpath(folder))
    if cfg.start is not None and not build.goes_on(cfg):
        record.info("the training starts from %s", cfg.start)  # which the command line has said
    for why in cfg.chosen if not build.goes_on(cfg) else ():
        record.info("training=auto: %s", why)
    set_memory_growth(cfg.gpu_memory_growth)
    with waiting("joining the processes that train together"):
        replicas = join_replicas(cfg.training.devices)
    if cfg.deterministic:
        make_deterministic(cfg.seed)
    with waiting("reading the data set"):
        splits = build_splits(cfg)
    record_split(cfg, folder, splits)
    if cfg.training.limit_batches is None or len(splits.train) + len(splits.val) <= _SOON_SEEN:  # else few are needed
        splits = with_sound_images(splits, on_error_of(cfg), IMAGE_MEMORY)
    write_skipped(folder, splits.problems)
    say_findings(splits, cfg.detector.image_size)
    with waiting("fitting the priors"):
        settle_priors(cfg, folder, splits.train)
    with waiting("building the network"), replicas.scope():
        model = build.build_detector_in_precision(cfg, splits.train.class_names)
        start = _start(cfg, model)
    with waiting("noting code, packages and data"):
        write_record(folder, model, {"train": splits.train, "val": splits.val})
    data = dataset_label(splits.val)
    batches = build.build_train_batches(cfg, splits.train, replicas.member)
    val_batches = build.build_val_batches(cfg, splits.val, model.image_size, replicas.member)
    clock = Clock(cfg.training.minutes, len(val_batches))
    with replicas.scope():
        optimizer = build.build_optimizer(cfg, model, len(batches), None if clock.minutes is None else clock.share)
    begin, running = _begin(cfg, folder, model, optimizer, len(batches))
    average = _average(cfg, folder, model)
    with loss_of_others_said(os.path.relpath(folder)), ExitStack() as stack:
        with waiting("opening a run in MLflow"):
            tracker = stack.enter_context(publish.tracker(cfg, folder, model, data))
        publish.remember_run(folder, tracker)
        log.info("MLflow: %s", tracker.ui_command)
        tracker.log_config(describe.params(cfg, model, data))
        publish.log_data(tracker, {"training": splits.train, "validation": splits.val})
        parts = (model, replicas, splits, batches, val_batches, optimizer, begin, running, clock, average, tracker)
        trainer = _trainer(cfg, folder, *parts)
        for line in announcement(cfg, model, splits, batches, start, replicas):
            log.info("%s", line)
        with waiting("drawing the data"):
            pictures = publish.draw_data(folder, batches)
        history = trainer.run()
        if (pruned := folder / PRUNED_FILE).exists():
            tracker.set_tags({"pruned": note_in(pruned)})
        evaluation, pictures = _finish(cfg, folder, trainer, history, splits, pictures)
        with waiting("closing the run in MLflow"):
            stack.close()
        replicas.wait_for_all()
    epochs = cfg.training.epochs if clock.minutes is None else int(history.last["epoch"])
    title = f"the best checkpoint, of epoch {history.best['epoch']:.0f} of {epochs}"
    rich.print(class_table(evaluation, title))
    _compare_with_last(history)
    publish.say_where(folder, pictures, tracker)
    return evaluation.metrics[metric_of(cfg.training.best_by)]


def _start(cfg: DictConfig, model: SSD) -> str:
    """Puts in the weights that the training starts from, and says whose they are."""
    if (weights := build.read_trained(cfg)) is not None:
        transferred = transfer(weights, model)
        log.info("%s: %s", weights.origin, transferred.describe())
        return f"from the detector {weights.origin} ({transferred.of_classes()})"
    if build.goes_on(cfg):
        return "going on from its last checkpoint"
    backbone = cfg.backbone.get("weights")
    if backbone is None:
        return "from random weights"
    return "from ImageNet's weights" if backbone.startswith("imagenet") else f"from the weights {backbone}"


def _begin(
    cfg: DictConfig, folder: Path, model: SSD, optimizer: keras.optimizers.Optimizer, steps_per_epoch: int
) -> tuple[Place, Running]:
    """Where the training begins: at the beginning, or where a resumed run stopped, with its weights and sums."""
    clear_leftovers(folder)
    if cfg.resume is None and (folder / RESULTS).exists():
        write_results(folder / RESULTS, [])
    if not build.goes_on(cfg):
        check_can_go_on(folder, os.path.relpath(folder))
        return Place(steps_per_epoch=steps_per_epoch), {}
    checkpoints = Checkpoints(folder)
    running: Running = {}
    if cfg.resume_from == ResumeFrom.best:
        begin = checkpoints.go_back_to_best(model, optimizer, steps_per_epoch)
        log.info("the optimizer starts afresh, at step %d of its schedule", int(np.asarray(optimizer.iterations)))
    else:
        begin, running = checkpoints.restore(model, optimizer, steps_per_epoch)
    checkpoints.become_latest()
    log.info("resuming after %d epochs and %d steps; the best is by %s", begin.epoch, begin.step, cfg.training.best_by)
    return begin, running


def _average(cfg: DictConfig, folder: Path, model: SSD) -> WeightAverage | None:
    """Of the weights that the training begins with, or as the last checkpoint has it."""
    if cfg.training.ema is None:
        return None
    average = WeightAverage(model, cfg.training.ema)
    if build.goes_on(cfg) and cfg.resume_from == ResumeFrom.last:
        Checkpoints(folder).restore_average(average)
    return average


def _trainer(
    cfg: DictConfig,
    folder: Path,
    model: SSD,
    replicas: Replicas,
    splits: Splits,
    batches: Batches,
    val_batches: Batches,
    optimizer: keras.optimizers.Optimizer,
    begin: Place,
    running: Running,
    clock: Clock,
    average: WeightAverage | None,
    tracker: Tracker,
) -> Trainer:
    """The parts of the training."""
    encode_targets, loss = build.build_target_encoder(cfg, model), build.build_loss(cfg)
    images = min(len(splits.val), val_batches.batch_size * len(val_batches))
    choice = choose_validation_runtime(cfg.runtime.name, model, images)
    log.info("validations run in %s", choice.in_words())
    network = validation_network(choice, model, val_batches.part)
    with replicas.scope():
        diagnostics = Diagnostics(model, folder, begin.epoch) if cfg.training.diagnostics else None
    if diagnostics is not None and "diagnostics" in running:
        diagnostics.go_on(running["diagnostics"])
    by_xla = has_gpu() and not cfg.deterministic  # XLA knows no deterministic gradient of max pooling
    train_step = make_train_step(
        model,
        optimizer,
        encode_targets,
        loss,
        by_xla,
        diagnostics,
        replicas,
        cfg.training.micro_batches,
        cfg.training.synchronized_batch_norm,
    )
    return Trainer(
        model=model,
        optimizer=optimizer,
        begin=begin,
        train_step=train_step,
        batches=batches,
        validator=Validator(model, encode_targets, loss, val_batches, cfg.score_threshold, network, replicas.gathered),
        epochs=cfg.training.epochs,
        clock=clock,
        evaluate_every=cfg.training.evaluate_every,
        best_by=cfg.training.best_by,
        patience=cfg.training.patience,
        stop=pruning_of_this_job(folder, cfg.training.best_by),
        on_first_step=(lambda: note_command(cfg, folder)) if cfg.resume is not None else lambda: None,
        checkpoints=Checkpoints(folder, cfg.training.checkpoint_minutes),
        folder=folder,
        sheet=ValidationSheet(folder, splits.val, cfg.task.pictures, cfg.score_threshold),
        tracker=tracker,
        average=average,
        diagnostics=diagnostics,
        running=running,
    )


def _finish(
    cfg: DictConfig, folder: Path, trainer: Trainer, history: History, splits: Splits, pictures: dict[str, Path]
) -> tuple[Evaluation, dict[str, Path]]:
    """Evaluates the best checkpoint once more, whole, writes and tracks what came out; gives that and all pictures."""
    if not history.best:
        missing = f"no {metric_of(history.best_by)} and no best model"
        raise UserError(f"{splits.val.name} has no object to find, hence {missing}; check dataset.val")
    best = trainer.model
    trainer.checkpoints.restore_best(best)  # into the network that is compiled already
    epoch = int(history.best["epoch"])
    log.info("evaluating the best checkpoint, of epoch %d", epoch)
    validation = trainer.validator.validate()
    evaluation = validation.evaluation
    curves = folder / PLOTS / "curves.png"
    with waiting("drawing the results"):
        curves_from_csv(folder / RESULTS, curves, trainer.best_by)
        pictures = {"Loss and mAP": curves, **pictures, **publish.draw_evaluation(folder, evaluation)}
        if trainer.diagnostics is not None:
            pictures["What the steps did to the layers"] = trainer.diagnostics.picture
        pictures["Right, missed and false"] = trainer.sheet.draw(validation.detections)
        trainer.tracker.log_image(trainer.sheet.closeup(validation.detections), "closeup", 0)
    with waiting("writing the report"):
        weights = weights_digest(trainer.checkpoints.best)
        write_judged(folder / VALIDATION, judged_of(splits.val, validation.detections, weights))
        publish.write_results(
            cfg,
            folder,
            best,
            evaluation,
            tracker=trainer.tracker,
            minutes=history.minutes,
            facts={
                "epoch": epoch,
                "images_per_second": read_results(folder / RESULTS)[-1]["train/images_per_second"],
            },
            datasets={"train": splits.train, "val": splits.val},
            pictures=pictures,
        )
    if cfg.tracking.log_model:
        with waiting("sending the detector to MLflow"):
            trainer.tracker.log_model(trainer.checkpoints.best)
    return evaluation, pictures


def _compare_with_last(history: History) -> None:
    """Says what the best epoch has over the last one."""
    shown = (*(f"val/{name}" for name in main_metrics(history.best_by)), "val/loss")
    for what, row in (("best", history.best), ("last", history.last)):
        values = ", ".join(f"{name} {row[name]:.3f}" for name in shown if name in row)
        print(f"{what}: epoch {row['epoch']:.0f}, {values or 'not validated'}")
