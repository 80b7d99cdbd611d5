"""Jobs under Slurm, through submitit."""

import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn
from omegaconf import DictConfig

from ssd.cores import available_cores
from ssd.sweep.launch.launcher import JobLauncher, Outcome, plain
from ssd.sweep.launch.remote_job import Job


class SubmititLauncher(JobLauncher):
    """Jobs under Slurm, or each as a process on this machine in the way submitit does it under Slurm.

    Args:
        cluster: "slurm" or "local".
        n_jobs: at once, at most.
        poll_seconds: between two looks at the jobs.
        folder: of submitit's own files and of the jobs' output.
        parameters: of submitit's `AutoExecutor.update_parameters`; null ones are left out.
    """

    def __init__(self, cluster: str, n_jobs: int, poll_seconds: float, folder: str, parameters: DictConfig) -> None:
        self.cluster, self.n_jobs, self.poll_seconds, self.folder = cluster, n_jobs, poll_seconds, folder
        self.parameters = {key: value for key, value in plain(parameters).items() if value is not None}

    def threads_per_job(self, jobs: int) -> int:
        """As many as cores asked for; without a number, this machine's cores, divided."""
        return self.parameters.get("cpus_per_task") or max(1, available_cores() // min(self.n_jobs, jobs))

    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Runs the jobs: under Slurm as one array job; here, `n_jobs` at once. A stopped sweep cancels them."""
        import submitit

        executor = submitit.AutoExecutor(folder=Path(self.folder).absolute(), cluster=self.cluster)
        executor.update_parameters(**self.parameters)
        waiting, running = list(jobs), dict[Any, Job]()
        if self.cluster == "slurm":
            executor.update_parameters(slurm_array_parallelism=self.n_jobs)
            running, waiting = dict(zip(executor.map_array(Job.run, jobs), jobs, strict=True)), []
        try:
            while waiting or running:
                while waiting and len(running) < self.n_jobs:
                    job = waiting.pop(0)
                    running[executor.submit(Job.run, job)] = job
                for handle in [handle for handle in running if handle.done()]:
                    yield running.pop(handle), _submitit_result(handle)
                time.sleep(self.poll_seconds)
        finally:
            for handle in running:
                handle.cancel()


def _submitit_result(handle: Any) -> JobReturn | str:
    try:
        return handle.result()
    except Exception:  # FailedJobError and UncompletedJobError repeat whole logs
        return f"no result from {handle.job_id} (state {handle.state}); its output is in {handle.paths.stderr}"
