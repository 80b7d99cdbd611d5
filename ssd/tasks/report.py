"""The report of a sweep, made again from its folder, or of any trainings, from their folders or MLflow runs."""

import logging
import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ssd.config.overrides import key_of
from ssd.errors import UserError
from ssd.experiment.latency import track_latency, with_latency
from ssd.runs.best_by import metric_of
from ssd.runs.folder import SWEEP_PAGE, SWEEP_REPORT, as_typed
from ssd.sweep.report.jobs import JobResult, ranked, read_job, read_jobs
from ssd.sweep.report.recorded import recorded_jobs
from ssd.sweep.report.sources import Sources, read_source
from ssd.sweep.report.terminal import print_table
from ssd.sweep.report.write import write_report
from ssd.tracking.address import say_where_runs_are
from ssd.tracking.store import parent_of
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Writes the report into the folder of the one sweep that `source` names, else into `folder`; gives the best value.

    In MLflow it goes to the sweep's own run, or to a new one where the jobs are not those of one sweep.

    Raises:
        UserError: there is no job, or the best one cannot be registered as asked.
    """
    source = read_source(cfg.source)
    jobs = _read(source, cfg.tracking.uri)
    place = source.sweeps[0].resolve() if source.one_sweep and os.access(source.sweeps[0], os.W_OK) else folder
    if cfg.sweep.latency:
        jobs = with_latency(jobs, cfg.trust)
    with _tracker(cfg, folder, source, jobs) or nullcontext() as tracker:
        if cfg.sweep.latency and tracker is not None:
            track_latency(jobs, tracker.uri, cfg.tracking.experiment)
        report = write_report(place, tracker, jobs=jobs, register=cfg.sweep.register, alias=cfg.sweep.alias)
    print_table(report.jobs, report.chance)
    log.info("Report: %s", os.path.relpath(place / SWEEP_REPORT))
    log.info("The same in one file: %s", os.path.relpath(place / SWEEP_PAGE))
    if tracker is not None:
        say_where_runs_are(tracker)
    if report.problem:
        raise UserError(f"sweep.register={cfg.sweep.register}: {report.problem}")
    return report.best.metrics[metric_of(report.best_by)] if report.best is not None else 0.0


def _read(source: Sources, uri: str) -> list[JobResult]:
    jobs = [job for sweep in source.sweeps for job in sorted(read_jobs(sweep.resolve()), key=lambda job: job.job)]
    jobs += [read_job(run.resolve()) for run in source.runs]
    jobs += recorded_jobs(uri, source.ids) if source.ids else []
    if len({job.job for job in jobs}) < len(jobs):  # of several sweeps, or single runs, which are all number 0
        jobs = [replace(job, job=number) for number, job in enumerate(jobs)]
    return ranked(jobs)


def _tracker(cfg: DictConfig, folder: Path, source: Sources, jobs: list[JobResult]) -> Tracker | None:
    """The tracker of the MLflow run that gets the report; None where the jobs are not in MLflow."""
    ids = [job.run_id for job in jobs if job.run_id is not None]
    if not ids or not cfg.tracking.enabled:
        return None
    uri = cfg.tracking.uri
    asked = "tracking.uri" in map(key_of, as_typed(HydraConfig.get().overrides.task))
    if not asked and not source.ids:  # its default is of the folder one calls from, and the jobs know theirs
        uri = next((job.settings["tracking.uri"] for job in jobs if "tracking.uri" in job.settings), uri)
    parent = parent_of(uri, ids)
    if not source.one_sweep and source != Sources(ids=(parent or "",)):
        parent = None  # a part of a sweep, or more than it, is no report of its own
    return Tracker(
        uri,
        cfg.tracking.experiment,
        f"report {folder.name}",
        folder,
        run_id=parent,
        visit=parent is not None,
        tags={"task": "report"},
    )
