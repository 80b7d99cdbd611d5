"""Jobs under Slurm, through submitit."""

import os
import signal
import sys
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from ssd import interrupts
from ssd.cores import available_cores
from ssd.sweep.launch.launcher import JobLauncher, Outcome, plain
from ssd.sweep.launch.remote_job import Job

_RESTARTS = "SLURM_RESTART_COUNT"  # set by Slurm in a job that it runs again, for whatever reason
_MOST_TIMEOUTS = 1000  # after which submitit gives a job up


class RequeuedJob:
    """A job that Slurm may stop and run again: it goes on from its last checkpoint.

    At the signal that submitit has Slurm send before the time limit, or at a preemption, and at SIGTERM it stops as at
    Ctrl-C, once its state is saved. After the former submitit requeues it.

    Args:
        job: to run.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self) -> JobReturn:
        """Runs the job; called in its own process, by submitit, whose handler of the signal is in place."""
        asked = getattr(signal, f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}")
        requeue: Any = signal.signal(asked, interrupts.stop)
        signal.signal(signal.SIGTERM, interrupts.stop)
        job = self.job.continued() if int(os.environ.get(_RESTARTS, 0)) else self.job
        try:
            result = job.run()
        except KeyboardInterrupt:
            result = None
        if result is not None and not (interrupts.received and result.status == JobStatus.FAILED):
            return result
        if asked in interrupts.received:
            requeue(asked, None)  # asks for `checkpoint`, and leaves
        sys.exit(128 + signal.SIGTERM)

    def checkpoint(self) -> Any:
        """What is to run instead when it is requeued, for submitit."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(RequeuedJob(self.job.continued()))


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

        folder = Path(self.folder).absolute()
        executor = submitit.AutoExecutor(folder=folder, cluster=self.cluster, slurm_max_num_timeout=_MOST_TIMEOUTS)
        executor.update_parameters(**self.parameters)
        waiting, running = list(jobs), dict[Any, Job]()
        if self.cluster == "slurm":
            executor.update_parameters(slurm_array_parallelism=self.n_jobs)
            running, waiting = dict(zip(executor.submit_array(list(map(RequeuedJob, jobs))), jobs, strict=True)), []
        try:
            while waiting or running:
                while waiting and len(running) < self.n_jobs:
                    job = waiting.pop(0)
                    running[executor.submit(RequeuedJob(job))] = job
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
