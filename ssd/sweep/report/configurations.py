"""Jobs compared: configurations with mean and standard deviation over their seeds, and the rows of all tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ssd.runs.best_by import main_metrics, metric_of
from ssd.sweep.report.jobs import JobResult, compared_by, varying

_COSTS = ("parameters", "gflops", "latency_ms", "minutes")


@dataclass(frozen=True)
class Measure:
    """Mean and sample standard deviation (n - 1 in the denominator); None for the deviation of a single value."""

    mean: float
    std: float | None

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.std is None else f"{self.mean:.3f} ± {self.std:.3f}"


@dataclass(frozen=True)
class Configuration:
    """The jobs that differ in nothing but the seed.

    Attributes:
        rank: from 1, by the mean of `metric`.
        best_by: what it and the others are compared by, e.g. val/mAP.
        values: what makes it another than the others, by key.
        jobs: all of them, also those that failed.
        label: the values, or what all have in common where nothing varies.
    """

    rank: int
    best_by: str
    values: Mapping[str, str]
    jobs: tuple[JobResult, ...]
    label: str

    @property
    def done(self) -> list[JobResult]:
        """The jobs that count."""
        return [job for job in self.jobs if job.done]

    @property
    def metric(self) -> str:
        """The name of what it is ranked by."""
        return metric_of(self.best_by)

    @property
    def result(self) -> Measure | None:
        """What it is ranked by."""
        return self.measure(self.metric)

    def measure(self, name: str) -> Measure | None:
        """Of the jobs that are done and have the metric; None if there is none."""
        return _measure(self.jobs, name)

    @property
    def runs(self) -> str:
        """How many jobs count, of how many."""
        return str(len(self.jobs)) if len(self.done) == len(self.jobs) else f"{len(self.done)} of {len(self.jobs)}"


def configurations(jobs: Sequence[JobResult]) -> list[Configuration]:
    """Jobs grouped by all that varies except the seed, best mean first, those without a result last."""
    best_by = compared_by(jobs)
    keys = [key for key in varying(jobs) if key != "seed"]
    groups: dict[tuple[str, ...], list[JobResult]] = {}
    for job in jobs:
        groups.setdefault(tuple(job.value(key) for key in keys), []).append(job)

    def place(group: tuple[tuple[str, ...], list[JobResult]]) -> tuple[float, int]:
        found = _measure(group[1], metric_of(best_by))
        return (1.0 if found is None else -found.mean), jobs.index(group[1][0])

    return [
        Configuration(
            rank=rank,
            best_by=best_by,
            values=dict(zip(keys, values, strict=True)),
            jobs=tuple(group),
            label=", ".join(values) or label(group[0], keys),
        )
        for rank, (values, group) in enumerate(sorted(groups.items(), key=place), 1)
    ]


def label(job: JobResult, keys: Sequence[str]) -> str:
    """What a job is, in a few words: its values of `keys`; all it was asked for if there is none."""
    shown = keys or [key for key in job.asked if key != "seed"]
    pairs = [f"{key.rpartition('.')[2]}={job.value(key)}" for key in shown]
    return ", ".join(pairs) or job.settings.get("name", "the defaults")


def repeated(groups: Sequence[Configuration]) -> bool:
    """Whether a configuration ran more than once, so that the table of configurations says more than that of jobs."""
    return any(len(group.jobs) > 1 for group in groups)


def configuration_numbers(groups: Sequence[Configuration]) -> list[dict[str, Any]]:
    """One row per configuration with plain numbers: of every metric the mean, and `_std` beside it."""
    rows = []
    for group in groups:
        row: dict[str, Any] = {"rank": group.rank, **group.values, "done": len(group.done), "jobs": len(group.jobs)}
        for name in (*main_metrics(group.best_by), *_COSTS):
            found = group.measure(name)
            row |= {name: found and found.mean, f"{name}_std": found and found.std}
        rows.append(row)
    return rows


def job_numbers(jobs: Sequence[JobResult]) -> list[dict[str, Any]]:
    """One row per job with plain numbers; None for what a job lacks."""
    keys, metrics = varying(jobs), main_metrics(compared_by(jobs))
    return [
        {
            "job": job.job,
            **{key: job.value(key) for key in keys},
            "status": job.status,
            **{name: job.metrics.get(name) for name in (*metrics, *_COSTS, "images_per_second", "epoch")},
            "run_id": job.run_id,
            "folder": job.folder and job.folder.name,
            "command": job.command,
            "reason": job.reason,
        }
        for job in jobs
    ]


def configuration_rows(groups: Sequence[Configuration]) -> list[dict[str, Any]]:
    """The rows for people; columns without a single value are left out."""
    return _filled(
        [
            {
                "rank": group.rank,
                **group.values,
                "runs": group.runs,
                **{name: _text(group.measure(name)) for name in main_metrics(group.best_by)},
                **_costs({name: found.mean for name in _COSTS if (found := group.measure(name))}),
            }
            for group in groups
        ]
    )


def job_rows(jobs: Sequence[JobResult]) -> list[dict[str, Any]]:
    """The rows for people; columns without a single value are left out."""
    keys, metrics = varying(jobs), main_metrics(compared_by(jobs))
    return _filled(
        [
            {
                "job": job.job,
                **({key: job.value(key) for key in keys} or {"overrides": label(job, keys)}),
                "status": f"{job.status}: {job.reason}" if job.reason else job.status,
                **{name: _format(job.metrics.get(name), ".3f") for name in metrics},
                **_costs(job.metrics),
                "best epoch": _format(job.metrics.get("epoch"), ".0f"),
            }
            for job in jobs
        ]
    )


def _costs(metrics: Mapping[str, float]) -> dict[str, str]:
    millions = metrics["parameters"] / 1e6 if "parameters" in metrics else None
    return {
        "params (M)": _format(millions, ".2f"),
        "GFLOPs": _format(metrics.get("gflops"), ".2f"),
        "latency (ms)": _format(metrics.get("latency_ms"), ".1f"),
        "minutes": _format(metrics.get("minutes"), ".1f"),
    }


def _measure(jobs: Sequence[JobResult], name: str) -> Measure | None:
    values = [job.metrics[name] for job in jobs if job.done and name in job.metrics]
    if not values:
        return None
    return Measure(fmean(values), stdev(values) if len(values) > 1 else None)


def _filled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    empty = [key for key in (rows[0] if rows else ()) if all(row[key] == "" for row in rows)]
    return [{key: value for key, value in row.items() if key not in empty} for row in rows]


def _text(measure: Measure | None) -> str:
    return "" if measure is None else str(measure)


def _format(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
