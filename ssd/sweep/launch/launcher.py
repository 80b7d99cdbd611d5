"""What the launchers of a multirun's jobs share. A job that is killed is marked as failed and the others go on.

Imported at every start: nothing heavy at the top. docs/sweeps.md says why these are not Hydra's own plugins.
"""

import logging
import os
from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, env_override, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from ssd.cores import thread_settings
from ssd.environment import ROOT
from ssd.sweep.launch.callback import PARENT_VARIABLE
from ssd.sweep.launch.remote_job import Job

log = logging.getLogger(__name__)

Outcome = tuple[Job, JobReturn | str]  # a job with its result, or with the reason why there is none
LOG_FORMAT = "hydra.job_logging.formatters.simple.format"


class JobLauncher(Launcher):
    """What all share: making the jobs, and collecting what became of them."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before the sweep."""
        self.context, self.task, self.config = hydra_context, task_function, config

    @abstractmethod
    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Runs the jobs and gives each one's outcome as soon as it is known."""

    @abstractmethod
    def threads_per_job(self, jobs: int) -> int:
        """How many threads each of so many jobs gets."""

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Runs a batch of jobs to their ends; the results are in the jobs' order."""
        hydra = self.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        Path(hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        threads = self.threads_per_job(len(job_overrides))
        jobs = [self._job(number, lines, threads) for number, lines in enumerate(job_overrides, initial_job_idx)]
        log.info("Launching %d jobs, threads per job: %d", len(jobs), threads)
        for job, overrides in zip(jobs, job_overrides, strict=True):
            log.info("\t#%d : %s", job.number, " ".join(filter_overrides(overrides)))
        results: dict[int, JobReturn] = {}
        python_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        # closed where the sweep is interrupted, it ends its jobs now and not whenever it is collected
        with env_override({"PYTHONPATH": python_path}), closing(self.outcomes(jobs)) as outcomes:
            for job, outcome in outcomes:
                results[job.number] = job.lost(outcome) if isinstance(outcome, str) else outcome
                configure_log(hydra.hydra_logging, hydra.verbose)
                log.info("#%d has ended, %d of %d", job.number, len(results), len(jobs))
        return [results[job.number] for job in jobs]

    def _job(self, number: int, overrides: Sequence[str], threads: int) -> Job:
        config = self.context.config_loader.load_sweep_config(self.config, list(overrides))
        with open_dict(config):
            config.hydra.job.id, config.hydra.job.num = str(number), number
        if log_format := OmegaConf.select(config, LOG_FORMAT):  # on one terminal, say whose line it is
            OmegaConf.update(config, LOG_FORMAT, f"#{number} {log_format}")
        environment = thread_settings(threads) | {"TTY_COMPATIBLE": "0"}  # rich: no progress bars over each other
        if PARENT_VARIABLE in os.environ:
            environment[PARENT_VARIABLE] = os.environ[PARENT_VARIABLE]
        return Job(number, config, self.context, self.task, environment, Path.cwd(), Singleton.get_state())


def plain(node: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    """A node of the configuration as plain containers, interpolations resolved."""
    return dict(OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node)  # type: ignore[arg-type]
