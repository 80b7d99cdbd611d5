"""Hydra launchers that run a multirun's jobs in processes of their own: on this machine, with Ray, under Slurm.

A job that is killed is marked as failed and the others go on. Imported at every start: nothing heavy at the top.
docs/sweeps.md says why these are not Hydra's own plugins.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from hydra.core.plugins import Plugins
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, configure_log, env_override, filter_overrides
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from ssd.cores import available_cores, thread_settings
from ssd.environment import ROOT
from ssd.sweep.launch.callback import PARENT_VARIABLE
from ssd.sweep.launch.remote_job import Job

log = logging.getLogger(__name__)

Outcome = tuple[Job, JobReturn | str]  # a job with its result, or with the reason why there is none
LOG_FORMAT = "hydra.job_logging.formatters.simple.format"


class JobLauncher(Launcher):
    """What the launchers share: making the jobs, and collecting what became of them."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Called by Hydra before the sweep."""
        self.context, self.task, self.config = hydra_context, task_function, config

    @abstractmethod
    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
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
        with env_override({"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}):
            for job, outcome in self.outcomes(jobs):
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


class JoblibLauncher(JobLauncher):
    """Jobs on this machine, several at once: joblib's threads, each looking after one job's process at a time.

    joblib's own worker processes would serve many jobs each, and the death of one ends them all.

    Args:
        n_jobs: at once; -1: one per core.
        threads: of each job; None: the cores, divided.
    """

    def __init__(self, n_jobs: int, threads: int | None) -> None:
        from joblib import effective_n_jobs

        self.n_jobs = effective_n_jobs(n_jobs)
        self.threads = threads

    def threads_per_job(self, jobs: int) -> int:
        """The cores, divided among the jobs that run at once."""
        return self.threads or max(1, available_cores() // min(self.n_jobs, jobs))

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
        """Runs the jobs, `n_jobs` at once."""
        from joblib import Parallel, delayed

        parallel = Parallel(self.n_jobs, backend="threading", return_as="generator_unordered")
        yield from parallel(delayed(_in_own_process)(job) for job in jobs)


def _in_own_process(job: Job) -> Outcome:
    import cloudpickle

    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(sender, cloudpickle.dumps(job)))
    process.start()
    sender.close()  # the process holds the other end: when it dies, there is nothing more to receive
    try:
        return job, receiver.recv()
    except EOFError:
        process.join()
        return job, _how_it_ended(process.exitcode or 0)
    finally:
        process.join()


def _serve(sender: Connection, payload: bytes) -> None:
    """In the job's process."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        sender.send(pickle.loads(payload).run())
    except KeyboardInterrupt:
        sys.exit(130)


def _leave_with_parent() -> None:
    """Ends this process when the sweep's is gone, however it went: a continued sweep runs the job again."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"its process ended with exit status {status}"
    name = signal.Signals(-status).name
    return f"its process was ended by {name}" + (": out of memory?" if name == "SIGKILL" else "")


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
        self.init = _plain(init)

    def threads_per_job(self, jobs: int) -> int:
        """As many as cores."""
        return self.cpus

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
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


def _plain(node: DictConfig | Mapping[str, Any]) -> dict[str, Any]:
    return dict(OmegaConf.to_container(node, resolve=True) if isinstance(node, DictConfig) else node)  # type: ignore[arg-type]


def _resources(found: Mapping[str, float]) -> str:
    return f"{found.get('CPU', 0):g} cores and {found.get('GPU', 0):g} GPUs"


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
        self.parameters = {key: value for key, value in _plain(parameters).items() if value is not None}

    def threads_per_job(self, jobs: int) -> int:
        """As many as cores asked for; without a number, this machine's cores, divided."""
        return self.parameters.get("cpus_per_task") or max(1, available_cores() // min(self.n_jobs, jobs))

    def outcomes(self, jobs: Sequence[Job]) -> Iterator[Outcome]:
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


def register() -> None:
    """Makes the launchers known to Hydra; may be called again. Hydra must accept plugins of this package before."""
    for launcher in (JoblibLauncher, RayLauncher, SubmititLauncher):
        Plugins.instance().register(launcher)
