"""Jobs as Ray tasks."""

import logging
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from omegaconf import DictConfig

from ssd.sweep.launch.launcher import JobLauncher, Outcome, plain
from ssd.sweep.launch.remote_job import Job

log = logging.getLogger(__name__)


class RayLauncher(JobLauncher):
    """Jobs as Ray tasks, on this machine or a cluster. Each has a process of its own.

    Args:
        n_jobs: at once, at most; fewer where the cluster has not the cores or GPUs.
        cpus: of each job.
        gpus: of each job, 0.5 for two that share one; None: 1 where the cluster has any, otherwise 0.
        init: arguments of `ray.init`.
    """

    def __init__(self, n_jobs: int, cpus: int, gpus: float | None, init: DictConfig) -> None:
        self.n_jobs, self.cpus, self.gpus = n_jobs, cpus, gpus
        self.init = plain(init)

    def threads_per_job(self, jobs: int) -> int:
        """As many as cores."""
        return self.cpus

    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Runs the jobs, as many at once as fit."""
        import ray

        if not ray.is_initialized():
            ray.init(**self.init)
        gpus = self.gpus if self.gpus is not None else min(1, ray.cluster_resources().get("GPU", 0))
        log.info("Ray has %s; a job takes %d cores and %g GPUs", _resources(ray.cluster_resources()), self.cpus, gpus)
        # max_calls: GPU memory is free again only when the process ends. max_retries: a killed job would be again.
        start = ray.remote(num_cpus=self.cpus, num_gpus=gpus, max_calls=1, max_retries=0)(Job.run).remote
        waiting, running = list(jobs), dict[Any, Job]()
        while waiting or running:
            while waiting and len(running) < self.n_jobs:
                job = waiting.pop(0)
                running[start(job)] = job
            (done,), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(done)
            try:
                yield job, ray.get(done)
            except ray.exceptions.RayError as error:
                lines = str(error).strip().splitlines()
                yield job, lines[-1 if isinstance(error, ray.exceptions.RayTaskError) else 0]


def _resources(found: Mapping[str, float]) -> str:
    return f"{found.get('CPU', 0):g} cores and {found.get('GPU', 0):g} GPUs"
