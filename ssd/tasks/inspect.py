"""Looking a data set over: all that is wrong with it, or odd, in one report. Nothing of the user's is changed.

Where `dataset.convert` asks for it, what can be used is written in another format, too.
"""

import logging
import os
from pathlib import Path
from time import monotonic

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.look import Look, look_at_images
from ssd.data.sample import Splits
from ssd.errors import FaultyDataError, UserError
from ssd.experiment.converted import convert_if_asked
from ssd.experiment.splits import build_splits_with_problems
from ssd.inspection.examine import examine, parts_of
from ssd.inspection.finding import Finding
from ssd.inspection.kinds import Severity
from ssd.inspection.priors import PriorCheck, unreached
from ssd.inspection.report import Inspection, write_inspection
from ssd.runs.folder import FINDINGS, IMAGE_MEMORY, REPORT_PAGE

log = logging.getLogger(__name__)

_TOLD = 12  # kinds on the terminal


def run(cfg: DictConfig, folder: Path) -> float:
    """Leaves report.html and findings.json in `folder`, and gives the number of errors, which is 0.

    Raises:
        UserError: the data set cannot be read at all.
        FaultyDataError: there are errors.
    """
    start = monotonic()
    with waiting("reading the annotations"):
        splits = build_splits_with_problems(cfg)
    convert_if_asked(cfg, splits)
    looks = look_at_images(parts_of(splits), IMAGE_MEMORY)
    with waiting("checking"):
        findings = examine(splits, looks, cfg.detector.image_size)
    if cfg.checkpoint is not None or cfg.weights is not None:
        findings += _suspects(cfg, splits, looks)
    with waiting("looking at the priors"):
        priors, left_out = _priors(cfg, splits)
    findings += unreached(priors, splits.train) if priors is not None else []
    inspection = Inspection(splits, findings, cfg.detector.image_size, monotonic() - start, priors, left_out)
    with waiting("writing the report"):
        write_inspection(inspection, folder)
    _say(inspection, folder)
    if cfg.tracking.enabled:
        _track(cfg, folder, inspection)
    if errors := inspection.count(Severity.error):
        raise FaultyDataError(f"{inspection.name} has {errors:,} errors; see {os.path.relpath(folder / REPORT_PAGE)}")
    return 0.0


def _priors(cfg: DictConfig, splits: Splits) -> tuple[PriorCheck | None, str]:
    """What the detector's priors reach of the training set; or why that is not known."""
    from ssd.experiment.prior_check import check_priors  # TensorFlow: the network tells the places of its priors

    try:
        return check_priors(cfg, splits.train), ""
    except UserError as error:
        log.warning("priors are left out of the report: %s", error)
        return None, str(error)


def _suspects(cfg: DictConfig, splits: Splits, looks: list[list[Look]]) -> list[Finding]:
    """What the detector finds otherwise in the images that can be used."""
    from ssd.experiment.suspicions import suspicions  # TensorFlow, which nothing else needs here

    return suspicions(cfg, parts_of(splits), looks)


def _say(inspection: Inspection, folder: Path) -> None:
    for key, kind, findings in inspection.by_kind[:_TOLD]:
        log.info("%-7s %6d  %s (%s)", kind.severity.name, len(findings), kind.title, key)
    if (more := len(inspection.by_kind) - _TOLD) > 0:
        log.info("and %d more kinds", more)
    log.info("%s: %s", inspection.name, inspection.summary)
    print(f"Report: {os.path.relpath(folder / REPORT_PAGE)}")
    print(f"All findings: {os.path.relpath(folder / FINDINGS)}")


def _track(cfg: DictConfig, folder: Path, inspection: Inspection) -> None:
    from ssd.tracking.tracker import Tracker  # MLflow takes seconds to import, and comes when all is written

    with Tracker(
        cfg.tracking.uri,
        cfg.tracking.experiment,
        f"inspect {inspection.name}",
        folder,
        tags={"task": "inspect", "dataset": inspection.name},
    ) as tracker:
        tracker.log_metrics({f"inspect/{severity.name}s": inspection.count(severity) for severity in Severity}, 0)
        for name in (REPORT_PAGE, FINDINGS):
            tracker.log_artifact(folder / name)
