"""A sweep that is interrupted or killed ends its jobs, at whatever moment that is."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from helpers.sweeping import ARGUMENTS, wait_for
from helpers.warm import Process
from ssd.sweep.launch.processes import _hand_over, _result, _start


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_when_a_sweep_ends_early_so_do_its_jobs(how: signal.Signals, tmp_path: Path) -> None:
    process = start_three(tmp_path)
    wait_for(lambda: len(list(tmp_path.glob("sweep/started_*"))) == 2)
    jobs = [psutil.Process(int(file.name.removeprefix("started_"))) for file in tmp_path.glob("sweep/started_*")]
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.send(how)
    assert process.wait(60) == {signal.SIGINT: 130, signal.SIGKILL: -9}[how]
    wait_for(lambda: not any(job.is_running() and job.status() != psutil.STATUS_ZOMBIE for job in jobs))
    assert len(list(tmp_path.glob("sweep/started_*"))) == 2


def start_three(folder: Path) -> Process:
    """A sweep of three jobs that wait for each other, of which only two run at once."""
    command = [*ARGUMENTS, "hydra/launcher=joblib", "seed=1,2,3", "tracking.enabled=false"]
    return Process(folder, *command, imported="helpers.own_session", SSD_PROBE_TOGETHER="3")


def test_an_interrupt_while_jobs_are_started_is_not_lost(tmp_path: Path) -> None:
    process = start_three(tmp_path)
    wait_for(lambda: any("spawn_main" in " ".join(child.cmdline()) for child in psutil.Process(process.pid).children()))
    jobs = psutil.Process(process.pid).children()
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    wait_for(lambda: not any(job.is_running() and job.status() != psutil.STATUS_ZOMBIE for job in jobs))


def test_nothing_waits_for_a_process_that_died_before_it_had_its_job() -> None:
    connection, process = _start()
    process.kill()
    process.join()
    _hand_over(b"0" * 10**6, connection)  # type: ignore[arg-type]  # more than a pipe holds
    assert _result(connection, process) == "its process was ended by SIGKILL: out of memory?"
