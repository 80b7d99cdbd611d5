"""Jobs on this machine, several at once, each in a process of its own."""

import logging
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from hydra.core.utils import JobReturn

from ssd import interrupts
from ssd.cores import available_cores
from ssd.sweep.launch.launcher import JobLauncher, Outcome
from ssd.sweep.launch.remote_job import Job

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 45.0  # seconds that interrupted jobs have to save a checkpoint


class ProcessLauncher(JobLauncher):
    """`hydra/launcher=joblib`, with the keys of Hydra's plugin of that name.

    That one's worker processes serve many jobs each, and the death of one ends them all. Here one thread starts the
    processes and waits for them: an interrupt comes before or after a start, never while another thread makes one.

    Args:
        n_jobs: at once; -1: one per core.
        threads: of each job; None: the cores, divided.
    """

    def __init__(self, n_jobs: int, threads: int | None) -> None:
        self.n_jobs = available_cores() if n_jobs == -1 else n_jobs
        self.threads = threads

    def threads_per_job(self, jobs: int) -> int:
        """The cores, divided among the jobs that run at once."""
        return self.threads or max(1, available_cores() // min(self.n_jobs, jobs))

    def outcomes(self, jobs: Sequence[Job]) -> Generator[Outcome, None, None]:
        """Runs the jobs, `n_jobs` at once. Where the sweep ends early so do they, with a checkpoint saved."""
        waiting, running = list(jobs), dict[Connection, tuple[Job, SpawnProcess]]()
        try:
            while waiting or running:
                while waiting and len(running) < self.n_jobs:
                    job = waiting.pop(0)
                    with _held_back():
                        connection, process = _start()
                        running[connection] = job, process
                    _hand_over(job, connection)
                ready = wait(running)
                for connection in [connection for connection in running if connection in ready]:
                    job, process = running.pop(connection)
                    yield job, _result(connection, process)
        finally:
            _interrupt([process for _, process in running.values()])


@contextmanager
def _held_back() -> Iterator[None]:
    """Lets an interrupt come once the block is through, or a process that is being started would be forgotten.

    The process starts with interrupts held back, too, and takes them when it is ready to stop well.
    """
    resource_tracker.ensure_running()  # which would let them come, were it started in the block
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start() -> tuple[Connection, SpawnProcess]:
    """A process that waits for its job.

    Not one that has it from the start: multiprocessing would write it into a pipe whose other end this process holds,
    too, and where the new process dies before it has read 64 kB, wait for ever.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    theirs.close()  # the process holds it: when it dies, there is nothing more to receive
    return ours, process


def _hand_over(job: Job, connection: Connection) -> None:
    import cloudpickle

    with suppress(OSError):  # the process is dead, which `_result` tells
        connection.send_bytes(cloudpickle.dumps(job))


def _result(connection: Connection, process: SpawnProcess) -> JobReturn | str:
    try:
        return connection.recv()
    except (EOFError, OSError):
        process.join()
        return _how_it_ended(process.exitcode or 0)
    finally:
        process.join()


def _interrupt(processes: Sequence[SpawnProcess]) -> None:
    """Stops jobs as Ctrl-C does, and kills what is left after a while, or at the next Ctrl-C."""
    try:
        for process in processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, signal.SIGINT)
        until = time.monotonic() + PATIENCE
        for process in processes:
            process.join(max(0.0, until - time.monotonic()))
    finally:
        for process in processes:
            if process.is_alive():
                log.warning("process %s did not stop and is killed", process.pid)
                process.kill()


def _serve(connection: Connection) -> None:
    """In the job's process."""
    try:
        signal.signal(signal.SIGINT, interrupts.stop)
        if hasattr(os, "setpgrp"):
            os.setpgrp()  # or it had a terminal's Ctrl-C twice, and the second would cut off the checkpoint
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        connection.send(pickle.loads(connection.recv_bytes()).run())
    except (KeyboardInterrupt, EOFError):
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
