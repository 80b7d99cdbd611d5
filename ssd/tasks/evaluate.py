"""Evaluating a checkpoint on a data set's validation split."""

import logging
from dataclasses import replace
from pathlib import Path
from time import monotonic

import numpy as np
import rich
from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.damage import warn_of_damage
from ssd.data.digest import dataset_label
from ssd.data.pipeline import Batches
from ssd.data.problems import SKIP
from ssd.data.sample import Dataset, Splits
from ssd.data.sound import with_sound_images
from ssd.device import choose_precision, set_memory_growth
from ssd.errors import UserError
from ssd.evaluation.runtime import for_validation
from ssd.evaluation.validation import validate
from ssd.experiment import build, describe, publish
from ssd.experiment.skipped import write_skipped
from ssd.experiment.splits import build_splits, on_error_of
from ssd.export.running import running
from ssd.figures.class_table import class_table
from ssd.figures.validation_sheet import ValidationSheet
from ssd.inference.exported import ExportedNetwork
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.runtimes import AUTO, KERAS, choose_runtime, in_keras
from ssd.models.detector import SSD
from ssd.runs.best_by import metric_of
from ssd.runs.checkpoint import checkpoint_file
from ssd.runs.folder import IMAGE_MEMORY
from ssd.weights.transfer import match_classes

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Evaluates the checkpoint, leaves the results in `folder`, and gives its `training.best_by`."""
    set_memory_growth(cfg.gpu_memory_growth)
    log.info("evaluating %s", cfg.weights or checkpoint_file(cfg.checkpoint))
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    splits = build_splits(cfg)
    if on_error_of(cfg) == SKIP:  # else the first one ends it, when its turn comes
        splits = with_sound_images(Splits(splits.val, splits.val, splits.problems), SKIP, IMAGE_MEMORY)
    write_skipped(folder, splits.problems)
    dataset = with_classes(splits.val, model.class_names)
    batches = build.build_val_batches(cfg, dataset, model.image_size)
    with waiting("making the network ready"):
        network = _network(cfg, model, batches)
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


def _network(cfg: DictConfig, model: SSD, batches: Batches) -> KerasNetwork | ExportedNetwork:
    """What runs the detector: with auto as in the validations of a training, which found the same."""
    runtime = cfg.runtime.name
    policy, why = choose_precision(cfg.precision.name, model)
    choice = choose_runtime(runtime, policy if runtime == AUTO else cfg.precision.name)
    choice = for_validation(choice, policy, model, min(len(batches.dataset), batches.batch_size * len(batches)))
    if choice.runtime == KERAS:
        choice = in_keras(policy, f"{choice.why}; {why}")
    checkpoint = None if cfg.checkpoint is None else checkpoint_file(cfg.checkpoint)
    return running(choice, policy, batches.batch_size, lambda: model, checkpoint)


def with_classes(dataset: Dataset, class_names: tuple[str, ...]) -> Dataset:
    """The data set with its labels in the order of a detector's class names, matched by name (`match_classes`).

    Raises:
        UserError: where the data set has a class that the detector does not know.
    """
    if dataset.class_names == class_names:
        return dataset
    known = match_classes(dataset.class_names, class_names)
    if unknown := [name for name, match in known.items() if match is None]:
        raise UserError(
            f"the detector does not know {', '.join(unknown)} of {dataset.name}; it detects {', '.join(class_names)}; "
            "use a data set of these classes"
        )
    order = np.array([class_names.index(match) for match in known.values() if match is not None], np.int32)
    annotations = [replace(annotation, labels=order[annotation.labels]) for annotation in dataset.annotations]
    return replace(dataset, class_names=class_names, annotations=annotations)
