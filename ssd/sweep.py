"""A multirun as a whole: one MLflow parent run for its jobs, and a table that compares them.

Hydra imports this module at every start, also for `--help`: nothing heavy at the top.
"""

import atexit
import csv
import io
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode, TaskFunction
from omegaconf import DictConfig, OmegaConf

from ssd.errors import UserError
from ssd.run_folder import markdown_table, write_text

if TYPE_CHECKING:
    from ssd.tracking import Tracker

log = logging.getLogger(__name__)

PARENT_VARIABLE = "SSD_PARENT_RUN_ID"  # tells jobs, in whatever process, the MLflow run they belong to
FAILURE_FILE = "failure.txt"  # in a job's folder: why it failed, one line


@dataclass(frozen=True)
class JobResult:
    """One row of the table. The numbers are None for a job without a result; `reason` says why."""

    job: int
    overrides: str
    status: str
    mAP50: float | None  # noqa: N815  (the metric's name)
    mAP: float | None  # noqa: N815
    minutes: float | None
    reason: str


class Sweep(Callback):
    """Hydra callback, set in conf/config.yaml: `hydra.callbacks.sweep._target_: ssd.sweep.Sweep`.

    A failing job does not end a grid: its reason is kept in its folder and shown in the table, and the exit status of
    the multirun is 1 when all jobs have had their turn.
    """

    def __init__(self) -> None:
        self._tracker: Tracker | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a job in another process gets: this callback without the open run, which cannot travel."""
        return {"_tracker": None}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Opens the parent run and tells the jobs its id. Without MLflow the jobs run all the same."""
        if not OmegaConf.select(config, "tracking.enabled"):
            return
        from ssd.tracking import Tracker

        folder = Path(config.hydra.sweep.dir).absolute()
        sweep = OmegaConf.select(config, "hydra.runtime.choices.sweeps") or "multirun"
        name = f"{sweep} {folder.name}"
        self._tracker = Tracker(config.tracking.uri, config.tracking.experiment, name, folder, tags={"task": "sweep"})
        atexit.register(self._end, "KILLED")  # where the sweep does not come to its end
        self._tracker.__enter__()
        if self._tracker.run_id is not None:
            os.environ[PARENT_VARIABLE] = self._tracker.run_id
        grid = OmegaConf.select(config, "hydra.sweeper.params") or {}
        overrides = OmegaConf.to_container(config.hydra.overrides.task)
        self._tracker.log_config({"sweep": dict(grid), "overrides": overrides})

    def on_job_start(self, config: DictConfig, *, task_function: TaskFunction, **kwargs: Any) -> None:
        """Forgets the failure of an earlier job in the same folder."""
        (Path(config.hydra.runtime.output_dir) / FAILURE_FILE).unlink(missing_ok=True)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Keeps the reason of a failed job of a multirun.

        Hydra's own sweeper raises the first failure as soon as its batch of jobs is through, before `on_multirun_end`;
        so for it a failed job counts as done, with the worst mAP. Other sweepers have their own way with failures.
        """
        if config.hydra.mode != RunMode.MULTIRUN or job_return.status != JobStatus.FAILED:
            return
        error = job_return._return_value
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        reason = " ".join(f"{kind}{error}".split())
        write_text(Path(config.hydra.runtime.output_dir) / FAILURE_FILE, reason + "\n")
        if config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            job_return.status = JobStatus.COMPLETED
            job_return.return_value = 0.0

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Prints the table, writes it as sweep.csv and sweep.md, and ends the parent run.

        Raises:
            SystemExit: with status 1 where a job failed.
        """
        folder = Path(config.hydra.sweep.dir).absolute()
        results = read_jobs(folder)
        failed = sum(result.status == "failed" for result in results)
        if results:
            write_tables(folder, results)
            print_table(results)
            self._log(folder, results, failed)
        log.info("Compared in %s", folder / "sweep.md")
        self._end("FINISHED")
        if failed:
            log.error("%d of %d jobs failed", failed, len(results))
            raise SystemExit(1)

    def _log(self, folder: Path, results: list[JobResult], failed: int) -> None:
        if self._tracker is None:
            return
        best = results[0]
        if best.mAP50 is not None:
            self._tracker.log_metrics({"best/mAP50": best.mAP50}, step=best.job)
        self._tracker.log_artifact(folder / "sweep.csv")
        note = (folder / "sweep.md").read_text(encoding="utf-8")
        self._tracker.set_tags({"mlflow.note.content": note, "jobs": str(len(results)), "failed_jobs": str(failed)})

    def _end(self, status: str) -> None:
        os.environ.pop(PARENT_VARIABLE, None)
        if self._tracker is not None:
            self._tracker.close(status)


def read_jobs(folder: Path) -> list[JobResult]:
    """The jobs of a multirun from their folders, best mAP50 first, those without a result last.

    Args:
        folder: of the multirun; every folder in it with .hydra/overrides.yaml is a job's.
    """
    jobs = [file.parent.parent for file in folder.glob("*/.hydra/overrides.yaml")]
    overrides = {job: list(OmegaConf.load(job / ".hydra" / "overrides.yaml")) for job in jobs}
    shared = set.intersection(*map(set, overrides.values())) if len(jobs) > 1 else set()
    results = [_read_job(job, " ".join(str(o) for o in overrides[job] if o not in shared)) for job in jobs]
    return sorted(
        results, key=lambda result: (-1.0 if result.mAP50 is None else result.mAP50, -result.job), reverse=True
    )


def _read_job(folder: Path, overrides: str) -> JobResult:
    number = OmegaConf.load(folder / ".hydra" / "hydra.yaml").hydra.job.num
    try:
        if (folder / FAILURE_FILE).exists():
            raise ValueError((folder / FAILURE_FILE).read_text(encoding="utf-8").strip())
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return JobResult(number, overrides, "failed", None, None, None, "it ended without a metrics.json")
    except ValueError as error:
        return JobResult(number, overrides, "failed", None, None, None, str(error))
    return JobResult(number, overrides, "done", metrics.get("mAP50"), metrics.get("mAP"), metrics.get("minutes"), "")


def write_tables(folder: Path, results: list[JobResult]) -> None:
    """Writes sweep.csv and sweep.md."""
    text = io.StringIO()
    rows = [asdict(result) for result in results]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "sweep.csv", text.getvalue())
    write_text(folder / "sweep.md", f"# {folder.name}\n\n{markdown_table(rows)}\n")


def print_table(results: list[JobResult]) -> None:
    """Shows the jobs on the terminal."""
    import rich
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Jobs, best first")
    for name in ("job", "overrides", "status", "mAP50", "mAP", "minutes"):
        table.add_column(name, justify="right" if name not in ("overrides", "status") else "left")
    for result in results:
        numbers = ["" if n is None else f"{n:.3f}" for n in (result.mAP50, result.mAP)]
        minutes = "" if result.minutes is None else f"{result.minutes:.1f}"
        state = f"{result.status}: {result.reason}" if result.reason else result.status
        table.add_row(str(result.job), escape(result.overrides), escape(state), *numbers, minutes)
    rich.print(table)
