"""A job of Slurm's that is stopped by its signal: saved first, then requeued to go on."""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from ssd import interrupts
from ssd.sweep.launch.slurm_jobs import RequeuedJob


class Stub:
    """A job that is sent signals, and stops at the first."""

    def __init__(self, *signals: int) -> None:
        self.signals = signals
        self.goes_on = False

    def run(self) -> Any:
        for number in self.signals:
            os.kill(os.getpid(), number)
        return self

    status = None

    def continued(self) -> "Stub":
        job = Stub()
        job.goes_on = True
        return job


@pytest.fixture
def requeued() -> Iterator[list[int]]:
    """The signals after which submitit's handler was asked to requeue, which leaves the process."""
    found: list[int] = []

    def requeue(number: int, frame: object) -> None:
        found.append(number)
        raise SystemExit(0)

    before = {number: signal.getsignal(number) for number in (signal.SIGUSR2, signal.SIGTERM)}
    signal.signal(signal.SIGUSR2, requeue)
    interrupts.received.clear()
    yield found
    interrupts.received.clear()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_before_the_time_limit_it_is_requeued_to_go_on(requeued: list[int]) -> None:
    job = RequeuedJob(Stub(signal.SIGUSR2))  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="0"):
        job()
    assert requeued == [signal.SIGUSR2]
    assert job.checkpoint().function.job.goes_on


def test_terminated_it_leaves(requeued: list[int]) -> None:
    with pytest.raises(SystemExit, match="143"):
        RequeuedJob(Stub(signal.SIGTERM))()  # type: ignore[arg-type]
    assert requeued == []


def test_run_again_by_slurm_it_goes_on(requeued: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    job: Any = RequeuedJob(Stub())  # type: ignore[arg-type]
    assert not job().goes_on
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert job().goes_on
