"""The jobs of a multirun: what was asked of each, and what became of it, from their folders."""

import logging
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ssd.config.overrides import by_key, key_of
from ssd.errors import UserError
from ssd.runs.best_by import DEFAULT, EARLIER, metric_of
from ssd.runs.flat import flatten
from ssd.runs.folder import DONE_FILE, FAILURE_FILE, LAST, METRICS, OVERRIDES, PRUNED_FILE, RESULTS
from ssd.runs.reading import note_in, read_json
from ssd.runs.results import readable_results
from ssd.runs.started import Started, config_of, overrides_of, recorded_run, started

log = logging.getLogger(__name__)

# What tells that a folder is a job's, whichever of it is left.
_MARKS = (OVERRIDES.parent, DONE_FILE, FAILURE_FILE, METRICS, LAST)
# Sections of the configuration that say nothing about what is trained.
_NOT_COMPARED = ("name", "task", "resume", "sweep", "tracking", "hydra")
_ORDER = ("done", "pruned", "running", "failed", "missing")


@dataclass(frozen=True)
class JobResult:
    """One job.

    Attributes:
        job: its number.
        given: its overrides, as the user would type them.
        status: done | pruned (given up early, on purpose) | failed | missing (without a result) | running.
        reason: why it is not done, one line.
        metrics: of its best checkpoint, as in metrics.json; what was not measured is left out.
        settings: its configuration, flat; empty where the job failed before it had one.
        epochs: the rows of its results.csv.
        folder: its run folder, where it is known.
        run_id: in MLflow, if it was recorded.
        flags: of the command line, besides the overrides.
    """

    job: int
    given: tuple[str, ...]
    status: str
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    epochs: Sequence[Mapping[str, float]] = ()
    folder: Path | None = None
    run_id: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def best_by(self) -> str:
        """Its own `training.best_by`."""
        return self.settings.get("training.best_by", EARLIER)

    @property
    def done(self) -> bool:
        """Whether its numbers may be compared with others'."""
        return self.status == "done" and metric_of(self.best_by) in self.metrics

    @property
    def command(self) -> str:
        """What a user types to get this job again, as a single run."""
        left_out = ("sweep", "resume", "hydra")
        lines = [line for line in self.given if _section(key_of(line)) not in left_out]
        return shlex.join(["python", "run.py", *self.flags, *lines])

    @cached_property
    def asked(self) -> dict[str, str]:
        """Its overrides by key; the sections that say nothing about what is trained are left out."""
        pairs = dict(_parsed(line) for line in self.given)
        return {key: value for key, value in pairs.items() if _section(key) not in _NOT_COMPARED}

    def value(self, key: str) -> str:
        """What a key is in this job, also where it was not asked for; empty where that is unknown."""
        asked = self.asked.get(key, "")
        if key in self.settings and not asked.startswith("["):  # which is the same for 1e-3 and 0.001
            return self.settings[key]
        target = self.settings.get(f"{key}._target_", "").rpartition(".")[2].lower()
        return asked or self.settings.get(f"{key}.name") or target


def read_jobs(folder: Path) -> list[JobResult]:
    """The jobs of a multirun, best first, those without a result last.

    Args:
        folder: of the multirun.
    """
    return ranked([read_job(job) for job in job_folders(folder)])


def job_folders(folder: Path) -> list[Path]:
    """The run folders directly in a folder; links such as outputs/latest are left out."""
    found = sorted(job for job in folder.glob("*/") if not job.is_symlink())
    return [job for job in found if any((job / mark).exists() for mark in _MARKS)]


def ranked(jobs: Sequence[JobResult]) -> list[JobResult]:
    """Those that are done first, by what they are compared by; then the rest, by status and number."""
    name = metric_of(compared_by(jobs))

    def place(job: JobResult) -> tuple[int, float, int]:
        return _ORDER.index(job.status), -job.metrics.get(name, -1.0), job.job

    return sorted(jobs, key=place)


def compared_by(jobs: Sequence[JobResult]) -> str:
    """The `training.best_by` of jobs; val/mAP where they differ in it (`differ_in_best_by`)."""
    found = _all_best_by(jobs)
    return found.pop() if len(found) == 1 else DEFAULT


def differ_in_best_by(jobs: Sequence[JobResult]) -> bool:
    """Whether the best checkpoints of jobs were chosen by different columns."""
    return len(_all_best_by(jobs)) > 1


def best_of(jobs: Sequence[JobResult]) -> JobResult | None:
    """The first of ranked jobs that has a result."""
    name = metric_of(compared_by(jobs))
    return next((job for job in jobs if job.done and name in job.metrics), None)


def _all_best_by(jobs: Sequence[JobResult]) -> set[str]:
    """Of the jobs that got as far as to have one."""
    return {job.best_by for job in jobs if job.settings or job.epochs or job.metrics}


def varying(jobs: Sequence[JobResult]) -> list[str]:
    """The keys in which the jobs differ, as they were first asked for, the seed last."""
    keys = dict.fromkeys(key for job in sorted(jobs, key=lambda job: job.job) for key in job.asked)
    found = [key for key in keys if len({job.value(key) for job in jobs}) > 1]
    return sorted(found, key=lambda key: key == "seed")


def read_job(folder: Path) -> JobResult:
    """One job, or a single run, from its folder; it counts as failed where that is damaged, with the file that is."""
    try:
        run = started(folder)
        given = tuple(overrides_of(folder))
        config = config_of(folder)
    except UserError as error:
        number = re.match(r"\d+", folder.name)
        return JobResult(int(number[0]) if number else 0, (), "failed", _without_remedy(error), folder=folder)
    metrics, status, reason = _outcome(folder)
    epochs, problem = readable_results(folder / RESULTS)
    if problem is not None:
        log.warning("%s; its curves lack what is not there", problem)
    return JobResult(
        job=run.job,
        given=given,
        status=status,
        reason=reason,
        metrics=metrics,
        settings={} if config is None else flatten(config),
        epochs=epochs,
        folder=folder,
        run_id=recorded_run(folder),
        flags=_flags(run),
    )


def _outcome(folder: Path) -> tuple[dict[str, float], str, str]:
    """Metrics, status and reason."""
    metrics, status, reason = dict[str, float](), "missing", f"no {METRICS}: it was stopped, or is still running"
    if (folder / METRICS).exists():
        try:
            values = read_json(folder / METRICS, "")
            metrics = {key: float(value) for key, value in values.items() if isinstance(value, int | float)}
            status, reason = "done", ""
        except UserError as error:
            status, reason = "failed", _without_remedy(error)
    for file, told in ((PRUNED_FILE, "pruned"), (FAILURE_FILE, "failed")):
        if (folder / file).exists():
            status, reason = told, note_in(folder / file)
    return metrics, status, reason


def _without_remedy(error: UserError) -> str:
    return str(error).partition("; ")[0]


def _flags(run: Started) -> tuple[str, ...]:
    """`--config-name` and `--config-dir`, where they were given."""
    return (
        *(() if run.config_name == "config" else (f"--config-name={run.config_name}",)),
        *(f"--config-dir={folder}" for folder in run.config_dirs),
    )


def _section(key: str) -> str:
    return key.partition(".")[0]


def _parsed(line: str) -> tuple[str, str]:
    """Key and value of an override, the value as it would stand in `JobResult.settings`."""
    try:
        ((key, override),) = by_key([line]).items()
        return key, flatten({"": override.value()}).get("", override.get_value_string())
    except (UserError, ValueError):
        return key_of(line), line.partition("=")[2]
