"""A multirun as a whole: one MLflow parent run for its jobs, and a table that compares them.

Hydra imports this module at every start, also for `--help`: nothing heavy at the top.
"""

import atexit
import logging
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd.errors import UserError
from ssd.runs.files import write_text
from ssd.runs.folder import FAILURE_FILE, RUN_ID_FILE, SWEEP_PAGE, SWEEP_REPORT, as_typed
from ssd.runs.started import recorded_run
from ssd.sweep.node import is_continued, sweep_name
from ssd.sweep.report.terminal import print_table
from ssd.sweep.report.write import write_report

if TYPE_CHECKING:
    from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)

PARENT_VARIABLE = "SSD_PARENT_RUN_ID"  # tells jobs, in whatever process, the MLflow run they belong to


class Sweep(Callback):
    """Hydra callback, set in conf/config.yaml: `hydra.callbacks.sweep._target_: ssd.sweep.launch.callback.Sweep`.

    A failing job does not end a grid: its reason is kept in its folder and shown in the table, and the exit status of
    the multirun is 1 when all jobs have had their turn.
    """

    def __init__(self) -> None:
        self._tracker: Tracker | None = None

    def __getstate__(self) -> dict[str, Any]:
        """What a job in another process gets: this callback without the open run, which cannot travel."""
        return {"_tracker": None}

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Opens the parent run, again where the sweep is continued, and tells the jobs its id.

        Without MLflow the jobs run all the same.
        """
        if not OmegaConf.select(config, "tracking.enabled"):
            return
        from ssd.console import waiting
        from ssd.tracking.tracker import Tracker

        hydra, folder = config.hydra, Path(config.hydra.sweep.dir).absolute()
        self._tracker = Tracker(
            config.tracking.uri,
            config.tracking.experiment,
            sweep_name(hydra),
            folder,
            run_id=recorded_run(folder) if is_continued(hydra) else None,
            tags={"task": "sweep"},
        )
        atexit.register(self._end, "KILLED")  # where the sweep does not come to its end
        with waiting("opening the sweep's run in MLflow"):
            self._tracker.__enter__()
        if self._tracker.run_id is not None:
            os.environ[PARENT_VARIABLE] = self._tracker.run_id
            try:
                write_text(folder / RUN_ID_FILE, f"{self._tracker.run_id}\n")
            except OSError as error:
                log.warning("%s: %s; a continued sweep will have another run", error.filename, error.strerror)
        grid = OmegaConf.select(config, "hydra.sweeper.params") or {}
        command = shlex.join(["python", "run.py", "-m", *as_typed(hydra.overrides.task)])
        self._tracker.log_config({**({"sweep": dict(grid)} if grid else {}), "command": command})

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
        try:
            write_text(Path(config.hydra.runtime.output_dir) / FAILURE_FILE, reason + "\n")
        except OSError as unwritten:  # a full disk, perhaps the reason itself
            log.error("the job failed (%s), which %s could not note (%s)", reason, FAILURE_FILE, unwritten.strerror)
        if config.hydra.sweeper._target_.endswith(".BasicSweeper"):
            job_return.status = JobStatus.COMPLETED
            job_return.return_value = 0.0

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Writes the report, prints its table, and ends the parent run.

        Raises:
            SystemExit: with status 1 where a job failed, or the best one could not be registered.
        """
        folder = Path(config.hydra.sweep.dir).absolute()
        register, alias = (OmegaConf.select(config, f"sweep.{key}") for key in ("register", "alias"))
        try:
            report = write_report(folder, self._tracker, register=register, alias=alias)
        except OSError as error:  # Hydra would warn of it, and end well
            again = f"task=report source={os.path.relpath(folder)}"
            log.error("%s: %s; make room for the report, then write it by %s", error.filename, error.strerror, again)
            self._end("FAILED")
            raise SystemExit(1) from None
        if report.jobs:
            print_table(report.jobs, report.chance)
            log.info("Compared in %s, and in one file in %s", folder / SWEEP_REPORT, folder / SWEEP_PAGE)
        if self._tracker is not None:
            from ssd.tracking.address import say_where_runs_are

            say_where_runs_are(self._tracker)
        self._end("FINISHED")
        failed = sum(job.status in ("failed", "missing") for job in report.jobs)
        if failed:
            log.error("%d of %d jobs failed; again: -m sweep.resume=%s", failed, len(report.jobs), folder)
        if report.problem:
            log.error("sweep.register=%s: %s", register, report.problem)
        if failed or report.problem:
            raise SystemExit(1)

    def _end(self, status: str) -> None:
        os.environ.pop(PARENT_VARIABLE, None)
        if self._tracker is not None:
            self._tracker.close(status)
