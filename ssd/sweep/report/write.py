"""The report of a sweep: tables, charts and the best job, in its folder and in MLflow."""

import csv
import io
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ssd.errors import UserError
from ssd.runs.best_by import main_metrics, metric_of
from ssd.runs.files import write_text
from ssd.runs.folder import SWEEP_PAGE, SWEEP_REPORT
from ssd.runs.markdown import markdown_table
from ssd.sweep.report.chance import Chance, behind_numbers, behind_rows, chance
from ssd.sweep.report.configurations import (
    Configuration,
    configuration_numbers,
    configuration_rows,
    configurations,
    job_numbers,
    job_rows,
    label,
    repeated,
)
from ssd.sweep.report.importance import Importance, importance
from ssd.sweep.report.jobs import JobResult, best_of, compared_by, differ_in_best_by, read_jobs, varying

if TYPE_CHECKING:
    from ssd.tracking.tracker import Tracker

_NOTE_ROWS = 20  # of each table in MLflow's description, which holds 8000 characters
_EXPLAINED = (
    "Mean ± sample standard deviation (n - 1) over the jobs that are done and differ only in the seed; ranked by the "
    "mean {metric}. Latency, where asked for (sweep.latency=true), is of one image with decoding, all jobs in turns."
)
DIFFER = "The jobs differ in training.best_by, by which each chose its best checkpoint; they are compared by {}."


@dataclass(frozen=True)
class SweepReport:
    """What came out of a sweep.

    Attributes:
        folder: where the report is.
        jobs: best first, those without a result last.
        groups: the same as configurations.
        registered: of the best job in MLflow's registry, e.g. models:/cells@champion; empty if not asked for.
        problem: why that, though asked for, did not come to be.
        chance: whether the others are behind the best by more than chance; None where that is not known.
    """

    folder: Path
    jobs: list[JobResult]
    groups: list[Configuration]
    registered: str = ""
    problem: str = ""
    chance: Chance | None = None

    @property
    def job_rows(self) -> list[dict[str, Any]]:
        """The table of jobs."""
        return behind_rows(job_rows(self.jobs), "job", self.chance.jobs if self.chance else {})

    @property
    def configuration_rows(self) -> list[dict[str, Any]]:
        """The table of configurations."""
        return behind_rows(configuration_rows(self.groups), "rank", self.chance.groups if self.chance else {})

    @property
    def best_by(self) -> str:
        """What the jobs are compared by."""
        return compared_by(self.jobs)

    @property
    def best(self) -> JobResult | None:
        """The job with the best result."""
        return best_of(self.jobs)


def write_report(
    folder: Path,
    tracker: "Tracker | None" = None,
    *,
    jobs: list[JobResult] | None = None,
    register: str | None = None,
    alias: str = "champion",
) -> SweepReport:
    """Writes sweep.md, sweep.html, sweep.csv, configurations.csv and plots/, and sends them to an open MLflow run.

    Args:
        folder: of the multirun, where the report goes.
        tracker: of the multirun's own MLflow run, or None.
        jobs: other ones than those of `folder`.
        register: a name in MLflow's registry for the best job's detector, or None.
        alias: of the registered version.
    """
    jobs = read_jobs(folder) if jobs is None else jobs
    report = SweepReport(folder, jobs, configurations(jobs))
    if not jobs:
        return report
    report = replace(report, chance=chance(jobs, report.groups))
    if register is not None:
        report = _registered(report, tracker, register, alias)
    found = importance(folder)
    pictures = _draw(report, found)
    sections = _sections(report, found)
    shown = [f"![{caption}](plots/{quote(file.name)})" for caption, file in pictures.items()]
    text = [
        f"# {folder.name}",
        *sections[:-1],
        *(["## Charts\n\n" + "\n\n".join(shown)] if shown else []),
        sections[-1],
    ]
    _write_pages(folder, "\n\n".join(text) + "\n")
    jobs_behind, groups_behind = (report.chance.jobs, report.chance.groups) if report.chance else ({}, {})
    write_text(folder / "sweep.csv", _csv(behind_numbers(job_numbers(jobs), "job", jobs_behind)))
    numbers = behind_numbers(configuration_numbers(report.groups), "rank", groups_behind)
    write_text(folder / "configurations.csv", _csv(numbers))
    if tracker is not None:
        _log(tracker, report, found, pictures)
    return report


def _write_pages(folder: Path, text: str) -> None:
    """sweep.md, and sweep.html, the same with its pictures inside."""
    from ssd.runs.html import self_contained  # here, as it loads Pillow

    write_text(folder / SWEEP_REPORT, text)
    write_text(folder / SWEEP_PAGE, self_contained(text, folder))


def _registered(report: SweepReport, tracker: "Tracker | None", name: str, alias: str) -> SweepReport:
    best = report.best
    try:
        if tracker is None:
            raise UserError("MLflow was not used")
        if best is None or best.run_id is None:
            raise UserError("no job with a result is in MLflow")
        from ssd.tracking.store import register_model  # here, as it loads mlflow

        metric = metric_of(report.best_by)
        tags = {metric: f"{best.metrics[metric]:.4f}", "command": best.command}
        where = register_model(tracker.uri, best.run_id, name, alias, tags)
    except UserError as error:
        return replace(report, problem=str(error))
    return replace(report, registered=where)


def _draw(report: SweepReport, found: Importance | None) -> dict[str, Path]:
    """Caption → file of every chart that the jobs have something for; older ones are removed."""
    from ssd.sweep.report.charts import cost, curves, importance_bars
    from ssd.sweep.report.parallel_coordinates import parallel_coordinates  # here, as they load matplotlib

    folder = report.folder / "plots"
    folder.mkdir(exist_ok=True)
    files = {name: folder / f"{name}.png" for name in ("cost", "curves", "parallel", "importance")}
    for file in files.values():
        file.unlink(missing_ok=True)
    cost(report.groups, files["cost"])
    curves(report.groups, files["curves"])
    parallel_coordinates(report.jobs, files["parallel"])
    if found and found.parts:
        importance_bars(found.parts, report.best_by, files["importance"])
    if not any(folder.iterdir()):
        folder.rmdir()
    over = f"{metric_of(report.best_by)} over cost"
    captions = (over, "Curves of all jobs", "Parallel coordinates", "Importance of parameters")
    return {caption: file for caption, file in zip(captions, files.values(), strict=True) if file.exists()}


def _sections(report: SweepReport, found: Importance | None, rows: int | None = None) -> list[str]:
    """The Markdown without title and charts, the table of every job last; tables of at most `rows` rows."""
    counts = Counter(job.status for job in report.jobs)
    keys, first = varying(report.jobs), report.jobs[0]
    many = f"{len(report.jobs)} jobs" if len(report.jobs) > 1 else "1 job"
    text = f"{many}: {', '.join(f'{count} {status}' for status, count in counts.items())}."
    for caption, named in (("What varies", keys), ("In common", [key for key in first.asked if key not in keys])):
        values = [f"`{key}`" if key in keys else f"`{key}={first.value(key)}`" for key in named]
        text += f" {caption}: {', '.join(values)}." if values else ""
    if differ_in_best_by(report.jobs):
        text += f" {DIFFER.format(report.best_by)}"
    sections = [_best(report), text]
    if repeated(report.groups):
        table = _table(report.configuration_rows, rows)
        sections.append(f"## Configurations\n\n{table}\n\n{_EXPLAINED.format(metric=metric_of(report.best_by))}")
    if found and found.parts:
        parts = ", ".join(f"`{name}` {part:.2f}" for name, part in found.parts.items())
        sections.append(f"## Importance of parameters\n\n{parts} (Optuna's PED-ANOVA, finished trials).")
    elif found:
        sections.append(f"## Importance of parameters\n\nNot computed: {found.absent}.")
    explanation = f"\n\n{report.chance.explanation}" if report.chance else ""
    return [*sections, f"## Jobs\n\n{_table(report.job_rows, rows)}{explanation}"]


def _best(report: SweepReport) -> str:
    best = report.best
    if best is None:
        return "No job has a result."
    metric = metric_of(report.best_by)
    text = f"Best: job {best.job}, {metric} **{best.metrics[metric]:.3f}**: {label(best, varying(report.jobs))}."
    first = report.groups[0]
    if best not in first.jobs:
        text += f" The best mean has another configuration, {first.label}, with {first.result}."
    text += f" {report.chance.sentence}" if report.chance else ""
    text += f"\n\n```sh\n{best.command}\n```"
    if best.folder is not None:
        path = Path(os.path.relpath(best.folder, report.folder)).as_posix()
        text += f"\n\n- Its folder: [{path}]({quote(path)})"
    if best.run_id is not None:
        text += f"\n- Its MLflow run: `{best.run_id}`"
    if report.registered:
        text += f"\n- Registered in MLflow as `{report.registered}`"
    if report.problem:
        text += f"\n- Not registered in MLflow: {report.problem}"
    return text


def _table(rows: Sequence[Mapping[str, Any]], limit: int | None) -> str:
    more = len(rows) - limit if limit is not None else 0
    return markdown_table(rows[:limit]) + (f"\n\n… and {more} more, in sweep.csv." if more > 0 else "")


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _log(tracker: "Tracker", report: SweepReport, found: Importance | None, pictures: Mapping[str, Path]) -> None:
    """Sends the report to the open run: description, tables, files."""
    if report.best is not None:
        best, names = report.best.metrics, main_metrics(report.best_by)
        tracker.log_metrics({f"best/{name}": best[name] for name in names if name in best}, step=report.best.job)
    tracker.take_over([job.run_id for job in report.jobs if job.run_id is not None])
    note = "\n\n".join(_sections(report, found, _NOTE_ROWS))
    failed = sum(job.status in ("failed", "missing") for job in report.jobs)
    tracker.set_tags({"mlflow.note.content": note, "jobs": str(len(report.jobs)), "failed_jobs": str(failed)})
    tracker.log_table(report.job_rows, "jobs.json")
    tracker.log_table(report.configuration_rows, "configurations.json")
    # MLflow's page shows no picture of a sweep.md
    for name in (SWEEP_PAGE, Path("sweep.csv"), Path("configurations.csv")):
        tracker.log_artifact(report.folder / name)
    for file in pictures.values():
        tracker.log_artifact(file, "plots")
