"""The jobs of a sweep, or any trainings, from MLflow."""

import shlex
from collections.abc import Sequence

from ssd.errors import UserError
from ssd.runs.best_by import BEST_BY, EARLIER
from ssd.sweep.report.jobs import JobResult
from ssd.tracking.store import RecordedRun, read_runs

_CURVES = ("train/loss", *BEST_BY)
_METRICS = {
    "model/parameters": "parameters",
    "model/gflops": "gflops",
    "model/latency_ms": "latency_ms",
    "train/images_per_second": "images_per_second",
    "minutes": "minutes",
    "train/minutes": "minutes",
}
_STATUS = {"FINISHED": "done", "RUNNING": "running", "SCHEDULED": "running", "KILLED": "missing"}


def recorded_jobs(uri: str, ids: Sequence[str]) -> list[JobResult]:
    """The runs with these ids as jobs; in the place of a sweep's run its jobs.

    Raises:
        UserError: the store cannot be read, has no such run, or a run that no task of this project made.
    """
    return [_as_job(number, run) for number, run in enumerate(read_runs(uri, ids, _CURVES))]


def _as_job(number: int, run: RecordedRun) -> JobResult:
    command = run.tags.get("command")
    if command is None:
        kind = "a sweep without jobs" if run.tags.get("task") == "sweep" else "not a training of this project"
        raise UserError(f"MLflow's run {run.id} ({run.name}) is {kind}; leave it out of source")
    metrics = {key.removeprefix("best/"): value for key, value in run.metrics.items() if key.startswith("best/")}
    metrics |= {name: run.metrics[key] for key, name in _METRICS.items() if key in run.metrics}
    rows: dict[int, dict[str, float]] = {}
    for name, points in run.curves.items():
        for epoch, value in points:
            rows.setdefault(epoch, {"epoch": float(epoch)})[name] = value
    if validated := run.curves.get(run.params.get("training.best_by", EARLIER)):
        metrics["epoch"] = float(max(validated, key=lambda point: (point[1], -point[0]))[0])
    status, reason = _STATUS.get(run.status, "failed"), run.tags.get("error", "")
    if status == "missing":
        reason = "it was interrupted"
    if "pruned" in run.tags:
        status, reason = "pruned", run.tags["pruned"]
    return JobResult(
        job=int(run.tags.get("job", number)),
        given=tuple(shlex.split(command)[2:]),
        status=status,
        reason=reason,
        metrics=metrics if status in ("done", "pruned") else {},
        settings={"name": run.name, **run.params},
        epochs=[rows[epoch] for epoch in sorted(rows)],
        run_id=run.id,
    )
