"""Evaluating a checkpoint on a data set's validation split."""

import logging
from pathlib import Path
from time import monotonic

import rich
from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.damage import warn_of_damage
from ssd.data.digest import dataset_label
from ssd.data.problems import SKIP
from ssd.data.sample import Splits
from ssd.data.sound import with_sound_images
from ssd.device import make_deterministic, set_memory_growth
from ssd.evaluation.record import judged_of, write_judged
from ssd.evaluation.validation import validate
from ssd.experiment import build, describe, publish
from ssd.experiment.record import write_record
from ssd.experiment.skipped import write_skipped
from ssd.experiment.splits import build_splits, on_error_of
from ssd.experiment.validating import validation_network, with_classes
from ssd.figures.class_table import class_table
from ssd.figures.validation_sheet import ValidationSheet
from ssd.models.weights_digest import weights_digest
from ssd.runs.best_by import metric_of
from ssd.runs.checkpoint import checkpoint_file
from ssd.runs.folder import IMAGE_MEMORY, VALIDATION

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Evaluates the checkpoint, leaves the results in `folder`, and gives its `training.best_by`."""
    set_memory_growth(cfg.gpu_memory_growth)
    if cfg.deterministic:
        make_deterministic(cfg.seed)
    log.info("evaluating %s", cfg.weights or checkpoint_file(cfg.checkpoint))
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    splits = build_splits(cfg)
    if on_error_of(cfg) == SKIP:  # else the first one ends it, when its turn comes
        splits = with_sound_images(Splits(splits.val, splits.val, splits.problems), SKIP, IMAGE_MEMORY)
    write_skipped(folder, splits.problems)
    dataset = with_classes(splits.val, model.class_names)
    write_record(folder, model, {"val": dataset})
    batches = build.build_val_batches(cfg, dataset, model.image_size)
    with waiting("making the network ready"):
        checkpoint = None if cfg.checkpoint is None else checkpoint_file(cfg.checkpoint)
        network = validation_network(cfg.runtime.name, cfg.precision.name, model, batches, checkpoint)
    data = dataset_label(dataset)
    with publish.tracker(cfg, folder, model, data) as tracker:
        ran = {"precision": network.precision, "runtime": network.runtime}
        tracker.log_config(describe.params(cfg, model, data) | ran)
        publish.log_data(tracker, {"validation": dataset})
        start = monotonic()
        validation = validate(network, batches, cfg.score_threshold)
        minutes = (monotonic() - start) / 60
        warn_of_damage((dataset, index) for index in sorted(batches.suspects))
        evaluation = validation.evaluation
        tracker.log_metrics({f"val/{name}": value for name, value in evaluation.metrics.items()}, 0)
        weights = "" if checkpoint is None else weights_digest(checkpoint)
        write_judged(folder / VALIDATION, judged_of(dataset, validation.detections, weights))
        pictures = publish.draw_evaluation(folder, evaluation)
        sheet = ValidationSheet(folder, dataset, cfg.task.pictures, cfg.score_threshold)
        pictures["Right, missed and false"] = sheet.draw(validation.detections)
        publish.write_results(
            cfg,
            folder,
            model,
            evaluation,
            tracker=tracker,
            minutes=minutes,
            facts={"images_per_second": len(validation.detections) / (60 * minutes)},
            datasets={"val": dataset},
            pictures=pictures,
        )
        rich.print(class_table(evaluation, dataset.name))
        publish.say_where(folder, pictures, tracker)
    return evaluation.metrics.get(metric_of(cfg.training.best_by), 0.0)
