"""How long the detectors of several runs take for an image, measured side by side."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf

from ssd.config.harmless import is_harmless
from ssd.errors import UserError
from ssd.experiment.splits import build_splits
from ssd.inference.cost import latencies
from ssd.models.checkpoint import load_detector
from ssd.runs.files import write_json
from ssd.runs.folder import BEST, CONFIG, METRICS
from ssd.runs.reading import read_json
from ssd.runs.started import config_of
from ssd.sweep.report.jobs import JobResult
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def with_latency(jobs: Sequence[JobResult], trusted: bool) -> list[JobResult]:
    """The jobs, those with a best checkpoint here with their latency, which is kept in their folders too.

    Args:
        jobs: done or not.
        trusted: whether the user vouches for the folders, and data sets of their own may be called.

    Raises:
        UserError: there is none, or the data set of one could run or read anything.
    """
    here = {job.folder: job for job in jobs if job.done and job.folder is not None and (job.folder / BEST).is_file()}
    if not here:
        raise UserError("sweep.latency=true needs checkpoints: give the folders of finished runs as source")
    images: dict[str, NDArray[np.uint8]] = {}
    found = latencies([(load_detector(folder), _image(folder, images, trusted)) for folder in here])
    for (folder, job), milliseconds in zip(here.items(), found, strict=True):
        _keep(folder, milliseconds)
        here[folder] = replace(job, metrics={**job.metrics, "latency_ms": milliseconds})
    log.info("latency measured of %d of %d jobs, those with a checkpoint here", len(here), len(jobs))
    return [here.get(job.folder, job) if job.folder is not None else job for job in jobs]


def track_latency(jobs: Sequence[JobResult], uri: str, experiment: str) -> None:
    """Writes the latencies into the jobs' own MLflow runs."""
    for job in jobs:
        if job.run_id is not None and job.folder is not None and "latency_ms" in job.metrics:
            with Tracker(uri, experiment, "", job.folder, run_id=job.run_id, visit=True) as tracker:
                tracker.log_metrics({"model/latency_ms": job.metrics["latency_ms"]}, 0)


def _image(folder: Path, known: dict[str, NDArray[np.uint8]], trusted: bool) -> NDArray[np.uint8]:
    """The first image that a run was validated on; a data set is read once."""
    if (config := config_of(folder)) is None:
        raise UserError(f"{folder / CONFIG} is missing, which names the data of the run; leave it out of source")
    cfg = OmegaConf.create(config)
    key = OmegaConf.to_yaml(cfg.dataset)
    if not (trusted or is_harmless(key)):
        raise UserError(
            f"{folder / CONFIG}: its data set could run or read anything; if you know where the folder comes from, "
            "add trust=true"
        )
    if key not in known:
        known[key] = build_splits(cfg).val[0].image
    return known[key]


def _keep(folder: Path, milliseconds: float) -> None:
    file = folder / METRICS
    write_json(file, {**read_json(file, "leave it out of source"), "latency_ms": milliseconds})
