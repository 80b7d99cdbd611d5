"""What a run leaves for people: pictures, metrics.json, report.md."""

import os
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import psutil
import tensorflow as tf
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from ssd.data.digest import annotation_digest
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.evaluation.evaluate import Evaluation, evaluate
from ssd.evaluation.pictures import training_batch
from ssd.evaluation.plots import confusion_matrix, label_statistics, pr_curves
from ssd.inference.detections import Detections
from ssd.run_folder import write_json, write_report, write_text
from ssd.tracking import Tracker
from ssd.training.step import Validator

RUN_ID_FILE = "mlflow_run.txt"
PACKAGES = ("tensorflow", "keras", "albumentations", "mlflow")


def draw_data(folder: Path, train: Batches) -> dict[str, Path]:
    """Label statistics of the training set and the first augmented batch, drawn into plots/; caption → file."""
    names = train.dataset.class_names
    pictures = {
        "Label statistics": _plot(folder, "label_statistics"),
        "An augmented training batch": _plot(folder, "training_batch"),
    }
    statistics, batch_picture = pictures.values()
    label_statistics(train.dataset.annotations, names, statistics)
    batch = next(iter(train.epoch(0)))
    training_batch({key: value.numpy() for key, value in batch.items()}, names, batch_picture)
    return pictures


def draw_evaluation(folder: Path, evaluation: Evaluation) -> dict[str, Path]:
    """Precision-recall curves and confusion matrix, drawn into plots/; caption → file."""
    pictures = {
        "Precision and recall": _plot(folder, "pr_curves"),
        "Confusion matrix": _plot(folder, "confusion_matrix"),
    }
    curves, matrix = pictures.values()
    pr_curves(evaluation.curves, curves)
    confusion_matrix(evaluation.confusion, evaluation.class_names, matrix)
    return pictures


def _plot(folder: Path, name: str) -> Path:
    path = folder / "plots" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    return path


def class_counts(dataset: Dataset) -> dict[str, int]:
    """Objects per class."""
    labels = [annotation.labels for annotation in dataset.annotations]
    counts = np.bincount(np.concatenate(labels), minlength=len(dataset.class_names))
    return dict(zip(dataset.class_names, counts.tolist(), strict=True))


def dataset_row(split: str, dataset: Dataset) -> dict[str, Any]:
    """A row of the report's table of data sets."""
    return {
        "split": split,
        "name": dataset.name,
        "images": len(dataset),
        "objects": sum(class_counts(dataset).values()),
        "without objects": sum(len(annotation.labels) == 0 for annotation in dataset.annotations),
        "digest": annotation_digest(dataset)[:12],
    }


def per_class_rows(evaluation: Evaluation) -> list[dict[str, Any]]:
    """The per-class table and its row "all" as plain values."""
    return [
        {
            "class": row.name,
            "images": row.images,
            "objects": row.objects,
            "precision": row.precision,
            "recall": row.recall,
            "AP50": row.ap50,
            "AP": row.ap,
        }
        for row in (*evaluation.per_class, evaluation.total)
    ]


def log_data(tracker: Tracker, datasets: Mapping[str, Dataset]) -> None:
    """Records data sets as inputs of the run; context ("training", "validation") → data set."""
    for context, dataset in datasets.items():
        tracker.log_dataset(
            dataset.name, context, annotation_digest(dataset), len(dataset), class_counts(dataset), dataset.name
        )


def evaluate_with(validator: Validator, score_threshold: float) -> tuple[Evaluation, list[Detections]]:
    """One pass over the validator's batches, evaluated."""
    dataset = validator.batches.dataset
    detections = validator().detections
    annotations = dataset.annotations[: len(detections)]
    return evaluate(detections, annotations, dataset.class_names, score_threshold), detections


def tracker(cfg: DictConfig, folder: Path) -> Tracker:
    """The run's tracker: a new MLflow run, or that of the run folder where it is resumed."""
    id_file = folder / RUN_ID_FILE
    return Tracker(
        cfg.tracking.uri,
        cfg.tracking.experiment,
        cfg.name,
        folder,
        run_id=id_file.read_text().strip() if cfg.resume is not None and id_file.exists() else None,
        parent_run_id=os.environ.get("SSD_PARENT_RUN_ID"),
        enabled=cfg.tracking.enabled,
        system_metrics=cfg.tracking.system_metrics,
        tensorboard=cfg.tracking.tensorboard,
        tags={"task": cfg.task.name, "command": command_line()},
    )


def remember_run(folder: Path, tracker: Tracker) -> None:
    """Notes the MLflow run in the run folder, for resuming."""
    if tracker.run_id is not None:
        write_text(folder / RUN_ID_FILE, f"{tracker.run_id}\n")


def write_results(
    cfg: DictConfig,
    folder: Path,
    evaluation: Evaluation,
    *,
    tracker: Tracker,
    minutes: float,
    facts: Mapping[str, float],
    datasets: Sequence[Mapping[str, Any]],
    pictures: Mapping[str, Path],
) -> None:
    """Writes metrics.json and report.md and sends them, the best values and the pictures to MLflow."""
    per_class = per_class_rows(evaluation)
    metrics = {"name": cfg.name, "minutes": minutes, **facts, **evaluation.metrics, "per_class": per_class}
    write_json(folder / "metrics.json", metrics)
    report = write_report(
        folder,
        title=f"{cfg.name}: {cfg.task.name}",
        command=command_line(),
        minutes=minutes,
        metrics=evaluation.metrics,
        per_class=per_class,
        datasets=datasets,
        settings=settings(cfg),
        pictures=pictures,
        hardware=hardware(),
        versions=versions(),
        mlflow_run=tracker.run_id,
        mlflow_ui=tracker.ui_command,
    )
    tracker.log_metrics(
        {f"best/{name}": value for name, value in evaluation.metrics.items()}, int(facts.get("epoch", 0))
    )
    tracker.set_tags({"mlflow.note.content": report.read_text(encoding="utf-8")})
    tracker.log_table(per_class, "per_class.csv")
    for file in (report, folder / "metrics.json", folder / "results.csv", folder / "config.yaml"):
        if file.exists():
            tracker.log_artifact(file)
    for picture in pictures.values():
        tracker.log_artifact(picture, "plots")


def plain_config(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, enums by name."""
    return dict(OmegaConf.to_container(cfg, resolve=True, enum_to_str=True))  # type: ignore[arg-type]


def settings(cfg: DictConfig) -> dict[str, Any]:
    """The choices that a reader of the report asks for first."""
    return {
        "backbone": cfg.backbone.name,
        "backbone weights": cfg.backbone.weights,
        "detector": cfg.detector.name,
        "image size": cfg.detector.image_size,
        "dataset": cfg.dataset.name,
        "augmentation": cfg.augmentation.name,
        "optimizer": cfg.optimizer["_target_"],
        "learning rate": cfg.optimizer.learning_rate,
        "schedule": cfg.schedule["_target_"],
        "epochs": cfg.training.epochs,
        "batch size": cfg.training.batch_size,
        "precision": keras.config.dtype_policy().name,
        "seed": cfg.seed,
    }


def say_where(folder: Path, pictures: Mapping[str, Path], tracker: Tracker) -> None:
    """Tells on the terminal where the results are, in lines that can be copied."""
    for caption, path in {**pictures, "Report": folder / "report.md"}.items():
        print(f"{caption}: {os.path.relpath(path)}")
    print(f"MLflow: {tracker.ui_command}")


def hardware() -> str:
    """The machine in words: GPUs, or processor cores and memory."""
    gpus = [tf.config.experimental.get_device_details(g) for g in tf.config.list_physical_devices("GPU")]
    if gpus:
        return ", ".join(str(details.get("device_name", "GPU")) for details in gpus)
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} {platform.machine()} cores, {memory:.0f} GiB"


def versions() -> Mapping[str, str]:
    """Python and the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def command_line() -> str:
    """The command that repeats this run (in a multirun: this job), with a folder of its own."""
    return shlex.join(["python", "run.py", *HydraConfig.get().overrides.task])
