"""One job of a multirun, made to run in another process: the launchers' common part.

Imported at every start, also for `--help`: nothing heavy at the top.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from ssd.cores import available_cores, thread_settings
from ssd.sweep.node import CONTINUED

log = logging.getLogger(__name__)


class JobLostError(RuntimeError):
    """A job gave no answer: its process was killed, or never began."""


class JobFailedError(RuntimeError):
    """What a job raised, as text: the exception itself may not survive the way between two processes."""


@dataclass(frozen=True, eq=False)
class Job:
    """A job and all it needs to know of the process that started it. It travels by cloudpickle.

    Attributes:
        number: Hydra's job number.
        config: composed, with Hydra's own node.
        context: for Hydra's callbacks.
        task: Hydra's task function.
        environment: variables for its process.
        folder: that relative paths start from.
        state: of Hydra's singletons.
    """

    number: int
    config: DictConfig
    context: HydraContext
    task: TaskFunction
    environment: dict[str, str]
    folder: Path
    state: Any

    def run(self) -> JobReturn:
        """Runs the job; called in its own process."""
        os.environ.update(self.environment)
        os.chdir(self.folder)
        Singleton.set_state(self.state)
        setup_globals()

        def task(cfg: DictConfig) -> Any:
            settings = thread_settings(available_cores())
            log.info("process %d: %s", os.getpid(), " ".join(f"{name}={value}" for name, value in settings.items()))
            return self.task(cfg)

        return _portable(self._run(task))

    def continued(self) -> "Job":
        """The same job, going on from what it finds in its folder."""
        config = self.config.copy()
        with read_write(config.hydra), open_dict(config.hydra):
            config.hydra.job.env_set[CONTINUED] = "1"
        return replace(self, config=config)

    def lost(self, reason: str) -> JobReturn:
        """Records, in the sweep's process, a job that gave no answer: folder, log and callbacks as if it had failed."""

        def task(_: DictConfig) -> None:
            log.error("the job was lost: %s", reason)
            raise JobLostError(reason)

        return _portable(self._run(task))

    def _run(self, task: TaskFunction) -> JobReturn:
        return run_job(
            task_function=task,
            config=self.config,
            job_dir_key="hydra.sweep.dir",
            job_subdir_key="hydra.sweep.subdir",
            hydra_context=self.context,
        )


def _portable(result: JobReturn) -> JobReturn:
    """The part of a result that sweepers read and every process can unpickle."""
    value = result._return_value
    if result.status == JobStatus.FAILED:
        value = JobFailedError(f"{type(value).__name__}: {value}")
    # Not the whole configuration: Hydra loads its plugins anew in each process, and to pickle their classes differ.
    folder = result.hydra_cfg.hydra.runtime.output_dir if result.hydra_cfg is not None else None
    place = OmegaConf.create({"hydra": {"runtime": {"output_dir": folder}}})
    return JobReturn(overrides=result.overrides, hydra_cfg=place, status=result.status, _return_value=value)
