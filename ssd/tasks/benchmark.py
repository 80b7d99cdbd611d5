"""How fast detectors are in each of their formats, beside what they find: one table, and mAP over latency."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import rich
from omegaconf import DictConfig, OmegaConf

from ssd import interrupts
from ssd.benchmark.candidates import KERAS, Candidate, of_exports, of_keras
from ssd.benchmark.images import written_images
from ssd.benchmark.measuring import job_of, measured
from ssd.benchmark.report import Row, cells_of, in_markdown, write_csv
from ssd.console import counting, waiting
from ssd.cores import available_cores
from ssd.data.digest import dataset_label
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.device import choose_precision, set_memory_growth
from ssd.errors import FaultyDataError, UserError
from ssd.experiment import build, describe, publish
from ssd.experiment.splits import build_splits
from ssd.experiment.validating import with_classes
from ssd.export.check import judge
from ssd.export.matrix import Variant, every_variant, read_variants
from ssd.export.write import check_installed
from ssd.figures.benchmark import benchmark_table, precision_over_latency
from ssd.inference.exported import load_exported
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.network import Network
from ssd.models.checkpoint import load_detector
from ssd.models.detector import SSD
from ssd.runs.checkpoint import checkpoint_file
from ssd.runs.files import write_text
from ssd.runs.folder import run_of
from ssd.runs.started import config_of
from ssd.tasks.export import EXPORTS, found_by, write_exports
from ssd.tracking.address import say_where_runs_are
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)

CSV, MARKDOWN, PICTURE = "benchmark.csv", "report.md", "benchmark.png"


def run(cfg: DictConfig, folder: Path) -> float:
    """Measures detectors and their exports, writes table and picture into `folder`, and gives the measurements' number.

    Raises:
        UserError: nothing can be measured.
        FaultyDataError: some could not be measured; the results of all others are written.
    """
    set_memory_growth(cfg.gpu_memory_growth)
    wanted = _wanted(cfg)
    splits = build_splits(cfg)
    with waiting("loading the detectors"):
        places = [Path(place) for place in (cfg.checkpoint, *cfg.task.others)]
        subjects = [_subject(cfg, folder, place, splits.val) for place in places]
    first, data = subjects[0], dataset_label(splits.val)
    with publish.tracker(cfg, folder, first.model, data) as tracker:
        tracker.log_config(describe.params(cfg, first.model, data))
        _export_missing(cfg, folder, first, splits.train, wanted or [])
        candidates = [one for subject in subjects for one in _candidates(cfg, subject, wanted)]
        rows, failed = _measure(cfg, candidates, splits.val)
        if not rows:
            raise UserError(f"nothing could be measured: {failed[0]}")
        notes = [*failed, *_missing(cfg, candidates), *_disturbed(rows)]
        _write(cfg, folder, rows, notes, splits.val.name)
        _track(tracker, rows, folder)
    rich.print(benchmark_table(cells_of(rows), f"{splits.val.name}, {describe.hardware()}"))
    for line in notes:
        print(line)
    print(f"mAP over latency: {os.path.relpath(folder / PICTURE)}")
    print(f"Report: {os.path.relpath(folder / MARKDOWN)}")
    say_where_runs_are(tracker)
    if failed:
        raise FaultyDataError(f"{len(failed)} of {len(failed) + len(rows)} could not be measured: {failed[0]}")
    return float(len(rows))


@dataclass(frozen=True)
class _Subject:
    """A detector.

    Attributes:
        name: of its run, or its file.
        checkpoint: its file.
        model: what is in it.
        exports: the folder of its exports, which may be missing.
        batches: of the validation images, with its class names.
    """

    name: str
    checkpoint: Path
    model: SSD
    exports: Path
    batches: Batches


def _subject(cfg: DictConfig, folder: Path, place: Path, dataset: Dataset) -> _Subject:
    file = checkpoint_file(place).resolve()
    run = run_of(place.resolve())
    config = config_of(run) if run is not None else None
    model = load_detector(file)
    batches = build.build_val_batches(cfg, with_classes(dataset, model.class_names), model.image_size)
    name = config["name"] if config is not None else file.stem
    return _Subject(name, file, model, (run or folder) / EXPORTS, batches)


def _wanted(cfg: DictConfig) -> list[Variant] | None:
    """The variants that were asked for, whose packages are there; None: what has been exported."""
    if cfg.task.format is None:
        return None
    variants = read_variants(OmegaConf.to_container(cfg.task))  # type: ignore[arg-type]
    for variant in variants:
        check_installed(variant)
    return variants


def _export_missing(
    cfg: DictConfig, folder: Path, subject: _Subject, train: Dataset, wanted: Sequence[Variant]
) -> None:
    """Exports what was asked for and is not there, as task=export does; its report says how it differs."""
    exported, _ = of_exports(subject.name, subject.checkpoint, subject.exports, subject.batches.dataset)
    there = {(one.format, one.precision) for one in exported}
    if missing := [variant for variant in wanted if variant not in there]:
        write_exports(cfg, folder, subject.model, missing, train, subject.batches)


def _candidates(cfg: DictConfig, subject: _Subject, wanted: Sequence[Variant] | None) -> list[Candidate]:
    """The detector in Keras, and its exports, all with their metrics."""
    policies = dict.fromkeys(["float32", choose_precision(cfg.precision.name, subject.model)[0]])
    exported, strangers = of_exports(subject.name, subject.checkpoint, subject.exports, subject.batches.dataset)
    for file in strangers:
        log.warning("%s was made of another checkpoint, and is left out; export again", os.path.relpath(file))
    chosen = [one for one in exported if wanted is None or (one.format, one.precision) in wanted]
    return [
        _judged(cfg, one, subject) for one in (*of_keras(subject.name, subject.checkpoint, list(policies)), *chosen)
    ]


def _judged(cfg: DictConfig, candidate: Candidate, subject: _Subject) -> Candidate:
    """With metrics: those of an export's check, where they are of the same images."""
    if candidate.metrics:
        return candidate
    size = subject.batches.batch_size
    if candidate.format == KERAS:
        network: Network = KerasNetwork(subject.model, size, candidate.policy)
    else:
        network = load_exported(candidate.file, size)
    found = found_by(network, subject.batches, f"judging {candidate.name}")
    return replace(candidate, metrics=judge(found, subject.batches.dataset, cfg.score_threshold))


def _measure(cfg: DictConfig, candidates: Sequence[Candidate], dataset: Dataset) -> tuple[list[Row], list[str]]:
    """All measurements, one after the other; and of those that were not possible, why."""
    rows: list[Row] = []
    failed: list[str] = []
    settings = list(product(cfg.task.threads or [available_cores()], cfg.task.batch_sizes))
    with TemporaryDirectory(prefix="ssd-benchmark-") as place:
        images = written_images(dataset, cfg.task.images, Path(place))
        with counting("measuring", len(candidates) * len(settings)) as advance:
            for candidate, (threads, batch_size) in product(candidates, settings):
                interrupts.check()
                job = job_of(candidate, images, batch_size, cfg.score_threshold, cfg.task.seconds, Path(place))
                try:
                    rows.append(Row(candidate, batch_size, threads, measured(job, threads, Path(place))))
                except UserError as error:
                    failed.append(f"{candidate.name}, batch {batch_size}, {threads} threads: {error}")
                else:
                    log.info("%s", rows[-1].in_words())
                advance()
    return rows, failed


def _missing(cfg: DictConfig, candidates: Sequence[Candidate]) -> list[str]:
    """What of the detector has not been exported, and the command that measures it, too."""
    there = {(one.format, one.precision) for one in candidates}
    if cfg.task.format is not None or not (left := [v.name for v in every_variant() if v not in there]):
        return []
    return [
        f"Not exported, so not measured: {', '.join(left)}. To export and measure them: "
        f"python run.py task=benchmark checkpoint={os.path.relpath(cfg.checkpoint)} format=all precision=all"
    ]


def _disturbed(rows: Sequence[Row]) -> list[str]:
    """Whether the times are other processes', too."""
    if not (marked := [row for row in rows if row.disturbed]):
        return []
    most = max(row.measured.others for row in marked)
    return [
        f"* {len(marked)} of {len(rows)} measurements: other processes used up to {most:.0%} of the cores, so these "
        "times are too long; measure again on a quiet machine."
    ]


def _write(cfg: DictConfig, folder: Path, rows: Sequence[Row], notes: Sequence[str], name: str) -> None:
    """The table, the report and the picture: mAP over latency of the smallest batch with most threads."""
    write_csv(rows, folder / CSV)
    batch, threads = min(row.batch_size for row in rows), max(row.threads for row in rows)
    shown = [row for row in rows if (row.batch_size, row.threads) == (batch, threads)]
    points = [point for row in shown if (point := row.point) is not None]
    precision_over_latency(points, f"batch {batch}, {threads} threads", folder / PICTURE)
    facts = {
        "images": f"{cfg.task.images} images of {name}",
        "hardware": describe.hardware(),
        "command": describe.command_line(),
    }
    write_text(folder / MARKDOWN, in_markdown(rows, facts, notes, PICTURE))


def _track(tracker: Tracker, rows: Sequence[Row], folder: Path) -> None:
    """Sends the table, the report, the picture, and each number as a metric."""
    for row in rows:
        tracker.log_metrics({f"{row.name}/{name}": value for name, value in row.metrics().items()}, 0)
    tracker.log_table([row.values() for row in rows], CSV)
    for name in (MARKDOWN, PICTURE):
        tracker.log_artifact(folder / name)
    tracker.log_image(folder / PICTURE, Path(PICTURE).stem, 0)
    tracker.set_tags({"mlflow.note.content": (folder / MARKDOWN).read_text(encoding="utf-8")})
