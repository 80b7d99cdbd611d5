"""What a run leaves for people: pictures, metrics.json, and its report."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from ssd.data.digest import annotation_digest, dataset_label
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.evaluation.evaluate import Evaluation
from ssd.experiment import describe
from ssd.figures.charts import label_statistics, pr_curves
from ssd.figures.confusion_matrix import confusion_matrix
from ssd.figures.style import hex_colours
from ssd.figures.training_batch import training_batch
from ssd.inference.cost import measure_cost
from ssd.models.detector import SSD
from ssd.runs.best_by import BEST_BY, metric_of
from ssd.runs.files import write_json, write_text
from ssd.runs.folder import (
    CODE_DIFF,
    CONFIG,
    DIAGNOSTICS,
    METRICS,
    PLOTS,
    RECORD,
    REPORT,
    REPORT_PAGE,
    RESULTS,
    RUN_ID_FILE,
)
from ssd.runs.report import RunReport
from ssd.runs.started import recorded_run
from ssd.sweep.launch.callback import PARENT_VARIABLE
from ssd.tracking.address import say_where_runs_are
from ssd.tracking.tracker import Tracker

COLOURS = 10  # of runs: the safe ones (ssd/figures/colours.py)
COMPARED = ("predictions", "pr_curves", "confusion_matrix")  # plots that MLflow shows beside those of other runs


def draw_data(folder: Path, train: Batches) -> dict[str, Path]:
    """Label statistics of the training set and the first augmented batch, drawn into plots/; caption → file."""
    names = train.dataset.class_names
    pictures = {
        "Label statistics": _plot(folder, "label_statistics"),
        "An augmented training batch": _plot(folder, "training_batch"),
    }
    statistics, batch_picture = pictures.values()
    label_statistics(train.dataset.columns, names, statistics)
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
    confusion_matrix(evaluation.confusion, evaluation.class_names, evaluation.score_threshold, matrix)
    return pictures


def _plot(folder: Path, name: str) -> Path:
    path = folder / PLOTS / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    return path


def class_counts(dataset: Dataset) -> dict[str, int]:
    """Objects per class."""
    counts = np.bincount(dataset.columns.labels, minlength=len(dataset.class_names))
    return dict(zip(dataset.class_names, counts.tolist(), strict=True))


def dataset_row(split: str, dataset: Dataset) -> dict[str, Any]:
    """A row of the report's table of data sets."""
    return {
        "split": split,
        "name": dataset.name,
        "images": len(dataset),
        "objects": sum(class_counts(dataset).values()),
        "without objects": int((dataset.columns.counts == 0).sum()),
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
        digest = annotation_digest(dataset)[:12]
        tracker.log_dataset(dataset.name, context, digest, len(dataset), class_counts(dataset), dataset.name)


def tracker(cfg: DictConfig, folder: Path, model: SSD, data: str) -> Tracker:
    """The run's tracker: a new MLflow run, or that of the run folder where it is resumed; `data` as in `describe`."""
    return Tracker(
        cfg.tracking.uri,
        cfg.tracking.experiment,
        describe.run_name(cfg),
        folder,
        run_id=recorded_run(folder) if cfg.resume is not None else None,
        parent_run_id=os.environ.get(PARENT_VARIABLE),
        enabled=cfg.tracking.enabled,
        system_metrics=cfg.tracking.system_metrics,
        tensorboard=cfg.tracking.tensorboard,
        tags=describe.tags(cfg, model, data),
        colours=hex_colours(COLOURS),
    )


def remember_run(folder: Path, tracker: Tracker) -> None:
    """Notes the MLflow run in the run folder, for resuming."""
    if tracker.run_id is not None:
        write_text(folder / RUN_ID_FILE, f"{tracker.run_id}\n")


def write_results(
    cfg: DictConfig,
    folder: Path,
    model: SSD,
    evaluation: Evaluation,
    *,
    tracker: Tracker,
    minutes: float,
    facts: Mapping[str, float],
    datasets: Mapping[str, Dataset],
    pictures: Mapping[str, Path],
) -> None:
    """Writes metrics.json and the report and sends them, the best values and the pictures to MLflow.

    Args:
        cfg: of the run.
        folder: the run folder.
        model: that was evaluated, on the last data set.
        evaluation: of `model`.
        tracker: of the run.
        minutes: that it took.
        facts: more for metrics.json, e.g. epoch, images_per_second.
        datasets: split ("train", "val") → data set.
        pictures: caption → file, in the report's order.
    """
    cost = asdict(measure_cost(model))
    per_class = per_class_rows(evaluation)
    write_json(
        folder / METRICS,
        {"name": cfg.name, "minutes": minutes, **facts, **cost, **evaluation.metrics, "per_class": per_class},
    )
    report = RunReport(
        title=f"{cfg.name}: {cfg.task.name}",
        command=describe.command_line(),
        minutes=minutes,
        metrics=evaluation.metrics,
        best_by=cfg.training.best_by,
        facts=cost,
        per_class=per_class,
        datasets=[dataset_row(split, dataset) for split, dataset in datasets.items()],
        settings=describe.settings(cfg, model, dataset_label(list(datasets.values())[-1])),
        hardware=describe.hardware(),
        versions=describe.versions(),
        mlflow_run=tracker.run_id,
        mlflow_ui=tracker.ui_command,
    )
    report.write(folder, pictures)
    _track(tracker, report, folder, pictures)


def _track(tracker: Tracker, report: RunReport, folder: Path, pictures: Mapping[str, Path]) -> None:
    """Sends what a run came to; its values and pictures at step 0, where MLflow's page compares them between runs."""
    best = {f"best/{name}": report.metrics[name] for name in map(metric_of, BEST_BY) if name in report.metrics}
    tracker.log_metrics(best | {f"model/{name}": value for name, value in report.facts.items()}, 0)
    tracker.set_tags({"mlflow.note.content": report.note()})
    # AP50 first: the column that the page compares unless told otherwise
    classes = [{"class": row["class"], "AP50": row["AP50"], **row} for row in report.per_class]
    tracker.log_table(classes, "per_class.json")
    for name in (
        REPORT_PAGE,
        METRICS,
        RESULTS,
        DIAGNOSTICS,
        CONFIG,
        RECORD,
        CODE_DIFF,
    ):  # MLflow's page shows no picture of a report.md
        if (folder / name).exists():
            tracker.log_artifact(folder / name)
    for picture in pictures.values():
        tracker.log_artifact(picture, "plots")
        if picture.stem in COMPARED:
            tracker.log_image(picture, picture.stem, 0)


def say_where(folder: Path, pictures: Mapping[str, Path], tracker: Tracker) -> None:
    """Tells on the terminal where the results are, in lines that can be copied."""
    for caption, path in {**pictures, "Report": folder / REPORT, "The same in one file": folder / REPORT_PAGE}.items():
        print(f"{caption}: {os.path.relpath(path)}")
    say_where_runs_are(tracker)
