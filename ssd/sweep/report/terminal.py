"""The table of a sweep on the terminal."""

from collections.abc import Sequence

from ssd.runs.best_by import main_metrics, metric_of
from ssd.sweep.report.chance import Chance
from ssd.sweep.report.configurations import configuration_rows, configurations, job_rows, label, repeated
from ssd.sweep.report.jobs import JobResult, best_of, compared_by, differ_in_best_by, varying
from ssd.sweep.report.write import DIFFER


def print_table(jobs: Sequence[JobResult], chance: Chance | None = None) -> None:
    """Shows the configurations, or the jobs where each ran once, and the best job's command line.

    Args:
        jobs: ranked.
        chance: whether the best is ahead by more than chance, where that is known.
    """
    import rich
    from rich.markup import escape
    from rich.table import Table

    groups = configurations(jobs)
    several = repeated(groups)
    keys = [key for key in varying(jobs) if key != "seed" or not several]
    best_by = compared_by(jobs)
    metric = metric_of(best_by)
    title = f"Configurations, best mean {metric} first" if several else f"Jobs, best {metric} first"
    rows = configuration_rows(groups) if several else job_rows(jobs)
    number, state = ("rank", "runs") if several else ("job", "status")
    columns = [name for name in (state, *main_metrics(best_by), "latency (ms)", "minutes") if name in rows[0]]
    timed = "ms: latency of one image; " if "latency (ms)" in columns else ""
    table = Table(title=title, caption=f"{timed}min: minutes of training", caption_justify="left")
    for name in (number, keys[0] if len(keys) == 1 else "configuration", *columns):
        is_number = name in (number, *columns) and name != "status"
        short = {"rank": "#", "latency (ms)": "ms", "minutes": "min"}.get(name, name)
        table.add_column(short, justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row, job in zip(rows, [group.jobs[0] for group in groups] if several else jobs, strict=True):
        named = job.value(keys[0]) if len(keys) == 1 else label(job, keys)
        table.add_row(str(row[number]), escape(named), *(escape(str(row[name])) for name in columns))
    rich.print(table)
    if differ_in_best_by(jobs):
        print(DIFFER.format(best_by))
    for job in jobs:
        if several and job.reason:
            print(f"job {job.job} ({label(job, varying(jobs))}) {job.status}: {job.reason}")
    best = best_of(jobs)
    if best is not None:
        lead = f". {chance.sentence}" if chance is not None else ""
        print(f"Best: job {best.job}, {metric} {best.metrics[metric]:.3f}{lead}\n  {best.command}")
