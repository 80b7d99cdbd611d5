"""When a signal stops what runs: at once, or where that asks."""

import os
import signal
from collections.abc import Iterator

import pytest

from ssd import interrupts


@pytest.fixture(autouse=True)
def handled() -> Iterator[None]:
    """The handler that a command has, and no signal from before."""
    before = signal.signal(signal.SIGINT, interrupts.stop)
    interrupts.received.clear()
    yield
    interrupts.received.clear()
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_outside_of_the_block_a_signal_stops_at_once() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupt()
    with pytest.raises(KeyboardInterrupt):  # also what comes later, in case it was lost
        interrupts.check()


def test_within_the_block_it_stops_where_that_asks(capsys: pytest.CaptureFixture[str]) -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            interrupts.check()
            interrupt()
            done.append("the step")
            interrupts.check()
            done.append("the next")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the step"]
    assert capsys.readouterr().err.startswith("stopping after this step")


def test_the_second_signal_stops_at_once() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            interrupt()
            interrupt()
            done.append("the step")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not done


def test_what_a_batch_system_sends_twice_does_not_hurry() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            for _ in range(2):
                interrupts.stop(signal.SIGTERM, None)
            done.append("the step")
            interrupts.check()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the step"]


def test_a_block_that_did_not_ask_again_stops_at_its_end() -> None:
    done = []

    def work() -> None:
        with interrupts.deferred():
            interrupt()
            done.append("the rest")
        done.append("what follows")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["the rest"]


def test_after_the_block_a_signal_stops_at_once_again() -> None:
    with interrupts.deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        interrupt()
