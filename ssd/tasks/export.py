"""Writing a detector as files of other runtimes, each checked at once against the detector itself."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import numpy as np
import rich
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from ssd import interrupts
from ssd.console import counting, waiting
from ssd.data.digest import dataset_label
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.device import set_memory_growth
from ssd.errors import FaultyDataError
from ssd.experiment import build, describe, publish
from ssd.experiment.splits import build_splits
from ssd.experiment.validating import with_classes
from ssd.export.blame import Layer, blame, verdict
from ssd.export.calibration import Calibration, calibrate, calibration_set
from ssd.export.check import Check, Original, check, judge, look
from ssd.export.matrix import CALIBRATED, Variant, read_variants
from ssd.export.report import MARKDOWN, Exported, overview
from ssd.export.write import check_installed, layer_outputs, write_export
from ssd.figures.export_table import export_table
from ssd.inference.detections import Detections
from ssd.inference.exported import load_exported
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.network import Network
from ssd.models.detector import SSD
from ssd.runs.checkpoint import checkpoint_file, digest_of
from ssd.runs.files import write_text
from ssd.runs.folder import reserve, run_of
from ssd.tracking.address import say_where_runs_are
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)

EXPORTS = "exports"  # in the folder of the detector's run, else of this one


def run(cfg: DictConfig, folder: Path) -> float:
    """Writes exports/FORMAT_PRECISION/ with a file and its report for all that was asked for; their number.

    Raises:
        FaultyDataError: one differs from the detector by more than its precision explains; its report is kept.
    """
    set_memory_growth(cfg.gpu_memory_growth)
    variants = read_variants(OmegaConf.to_container(cfg.task))  # type: ignore[arg-type]
    for variant in variants:
        check_installed(variant)
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    splits = build_splits(cfg)
    dataset = with_classes(splits.val, model.class_names)
    batches = build.build_val_batches(cfg, dataset, model.image_size)
    data = dataset_label(dataset)
    with publish.tracker(cfg, folder, model, data) as tracker:
        tracker.log_config(describe.params(cfg, model, data) | {"precision": ",".join(v.name for v in variants)})
        exports, original = write_exports(cfg, folder, model, variants, splits.train, batches)
        write_text(folder / MARKDOWN, overview(exports, original, describe.command_line()))
        _track(tracker, exports, original, folder)
    rich.print(export_table([one.row(original) for one in exports], dataset.name))
    for one in exports:
        print(f"{one.variant.name}: {os.path.relpath(one.file)}")
    print(f"Report: {os.path.relpath(folder / MARKDOWN)}")
    say_where_runs_are(tracker)
    if failed := [one for one in exports if one.failed]:
        raise FaultyDataError(_in_a_sentence(failed))
    return float(len(exports))


def write_exports(
    cfg: DictConfig, folder: Path, model: SSD, variants: list[Variant], train: Dataset, batches: Batches
) -> tuple[list[Exported], Original]:
    """Writes and checks each variant, in the folder of the detector's run, else in `folder`.

    Args:
        cfg: of a task that has `task.calibration_images`.
        folder: of the task's run.
        model: the detector.
        variants: to write.
        train: that int8 is calibrated on.
        batches: of the images that the files are checked on, with the detector's classes.
    """
    original = _original(cfg, model, batches)
    calibration = _calibration(cfg, train, model) if _is_calibrated(variants) else None
    return [_export(cfg, folder, model, variant, original, batches, calibration) for variant in variants], original


def _images(batches: Batches) -> Iterator[NDArray[np.uint8]]:
    """(B, S, S, 3) of a data set, in its order."""
    for batch in batches.epoch(0):
        interrupts.check()
        yield batch["image"].numpy()[batch["index"].numpy() >= 0]


def found_by(network: Network, batches: Batches, what: str) -> list[Detections]:
    """All that a network finds in a data set, while it says what it does."""
    with counting(what, len(batches)) as advance:

        def counted() -> Iterator[NDArray[np.uint8]]:
            for images in _images(batches):
                yield images
                advance()

        return look(network, counted())


def _original(cfg: DictConfig, model: SSD, batches: Batches) -> Original:
    network = KerasNetwork(model, policy="float32")
    detections = found_by(network, batches, "detecting with the original")
    metrics = judge(detections, batches.dataset, cfg.score_threshold)
    checkpoint = digest_of(checkpoint_file(cfg.checkpoint)) if cfg.checkpoint is not None else None
    return Original(detections, batches.dataset, metrics, model.nms, cfg.score_threshold, checkpoint)


def _is_calibrated(variants: list[Variant]) -> bool:
    return any(variant.precision in CALIBRATED for variant in variants)


def _calibration(cfg: DictConfig, dataset: Dataset, model: SSD) -> Calibration:
    """By images of the training split."""
    chosen = calibration_set(dataset, cfg.task.calibration_images, cfg.seed)
    log.info("int8 takes its ranges from %d images of %s", len(chosen), dataset.name)
    batches = build.build_val_batches(cfg, chosen, model.image_size)
    with waiting("rounding weights by what comes to them"):
        return calibrate(model, [image[None] for images in _images(batches) for image in images])


def _export(
    cfg: DictConfig,
    folder: Path,
    model: SSD,
    variant: Variant,
    original: Original,
    batches: Batches,
    calibration: Calibration | None,
) -> Exported:
    """Writes, reads again, checks and reports one file."""
    source = cfg.weights or str(checkpoint_file(cfg.checkpoint))
    run = run_of(Path(cfg.checkpoint)) if cfg.checkpoint is not None else None
    place = reserve((run or folder) / EXPORTS / variant.name)
    start = monotonic()
    with waiting(f"writing {variant.name}"):
        file = write_export(model, variant, source, place, calibration)
    seconds = monotonic() - start
    network = load_exported(file, batches.batch_size)
    checked = check(original, found_by(network, batches, f"checking {variant.name}"), variant.precision)
    layers, blamed = _blame(model, variant, file, batches, checked)
    exported = Exported(variant, file, _megabytes(place), seconds, checked, blamed, layers)
    exported.write(original)
    result = "failed" if exported.failed else "passed"
    log.info("%s: %s (%.1f MB, %.0f s)", variant.name, result, exported.megabytes, seconds)
    return exported


def _blame(model: SSD, variant: Variant, file: Path, batches: Batches, checked: Check) -> tuple[list[Layer], str]:
    """Where an export failed, its layers, and which is to blame."""
    if not checked.failures:
        return [], ""
    image = next(_images(batches))[:1]
    layers = blame(model, image, layer_outputs(model, variant, file, image))
    return layers, verdict(layers, variant.precision)


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def _track(tracker: Tracker, exports: list[Exported], original: Original, folder: Path) -> None:
    """Sends files, reports and metrics to MLflow."""
    tracker.log_metrics({f"original/{name}": value for name, value in original.metrics.items()}, 0)
    for one in exports:
        values = {**one.check.metrics, "megabytes": one.megabytes}
        tracker.log_metrics({f"{one.variant.name}/{name}": value for name, value in values.items()}, 0)
        for file in sorted(one.file.parent.iterdir()):
            tracker.log_artifact(file, f"{EXPORTS}/{one.variant.name}")
    tracker.log_artifact(folder / MARKDOWN)
    tracker.set_tags({"mlflow.note.content": (folder / MARKDOWN).read_text(encoding="utf-8")})


def _in_a_sentence(failed: list[Exported]) -> str:
    first = failed[0]
    others = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    return (
        f"{first.variant.name} does not find what the detector finds: {'; '.join(first.check.failures)}; "
        f"{first.blamed}; see {os.path.relpath(first.file.parent / MARKDOWN)}{others}"
    )
