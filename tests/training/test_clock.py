"""The clock of a training: shares of its time, what is kept for its end, and a schedule that follows it."""

import keras
import pytest
import tensorflow as tf

from ssd.training import clock as module
from ssd.training.clock import FINISH, Clock
from ssd.training.optimizers import at_share_of_the_rate, fused
from ssd.training.schedules import by_time, cosine, step


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the time is, in seconds."""
    time = [1000.0]
    monkeypatch.setattr(module, "monotonic", lambda: time[0])
    return time


def test_a_training_of_epochs_never_ends_by_the_clock(now: list[float]) -> None:
    clock = Clock(None, validation_batches=5)
    clock.start(0)
    now[0] += 1e6
    clock.step_done()
    assert not clock.is_over
    assert clock.left == float("inf")
    assert float(clock.share) == 0


def test_the_end_takes_the_latest_validation_twice_and_the_pictures(now: list[float]) -> None:
    clock = Clock(10, validation_batches=30)
    clock.start(0)
    now[0] += 40  # compiling
    clock.step_done()
    assert clock.left == pytest.approx(600 - FINISH - 40)
    now[0] += 20
    clock.step_done()  # of 20 s, so that a validation is taken to last 30 batches of 10
    assert clock.left == 0
    clock.validated(50)
    clock.validated(30)
    assert clock.left == pytest.approx(600 - FINISH - 60 - 2 * 30)
    assert not clock.is_over
    now[0] += clock.left
    clock.step_done()
    assert clock.is_over
    assert float(clock.share) == 1


def test_a_resumed_training_goes_on_with_the_time_that_is_gone(now: list[float]) -> None:
    clock = Clock(10)
    clock.start(300)
    share = 300 / (600 - FINISH)
    assert float(clock.share) == pytest.approx(share)
    now[0] += 60
    clock.step_done()
    assert clock.seconds == 360
    assert float(clock.share) == pytest.approx(360 / (600 - FINISH))


def test_a_schedule_by_time_is_the_schedule_by_steps_at_the_same_share() -> None:
    share = tf.Variable(0.0)
    by_steps, total = cosine(0.1, 1000, 0.0, 0, 1.0), 1_000_000
    timed = by_time(cosine(0.1, total, 0.0, 0, 1.0), total, share)
    for done in (0, 250, 500, 1000):
        share.assign(done / 1000)
        assert float(timed(7)) == pytest.approx(float(by_steps(done)), abs=1e-7)
    third = by_time(step(0.1, total, [0.5, 0.75], 0.1, 0, 1.0), total, share)
    for part, rate in ((0.49, 0.1), (0.51, 0.01), (0.8, 0.001)):
        share.assign(part)
        assert float(third(0)) == pytest.approx(rate)


def test_the_warm_up_counts_steps_and_what_follows_the_time() -> None:
    share = tf.Variable(0.0)
    schedule = by_time(cosine(0.1, 1000, 0.0, 10, 0.5), 1000, share)
    assert [float(schedule(step)) for step in (0, 5, 10)] == pytest.approx([0.05, 0.075, 0.1])
    share.assign(0.5)
    assert [float(schedule(step)) for step in (5, 50)] == pytest.approx([0.0375, 0.05])


@pytest.mark.parametrize("kind", [keras.optimizers.Adam, keras.optimizers.SGD])
def test_the_rate_of_a_compiled_step_follows_the_clock(kind: type[keras.optimizers.Optimizer]) -> None:
    share, weight = tf.Variable(0.0), keras.Variable([0.0])
    momentum = {"momentum": 1e-9} if kind is keras.optimizers.SGD else {}  # Adam's steps are of the rate
    made = kind(by_time(cosine(1.0, 1000, 0.0, 0, 1.0), 1000, share), **momentum)
    optimizer = at_share_of_the_rate(fused(made), [weight], 0.5)  # as a training makes it
    optimizer.build([weight])
    train = tf.function(lambda: optimizer.apply([tf.constant([1.0])], [weight]))
    train()
    assert weight.numpy() == pytest.approx([-0.5], abs=1e-5)
    share.assign(0.5)
    train()
    assert weight.numpy() == pytest.approx([-0.75], abs=1e-5)
    assert float(optimizer.learning_rate) == pytest.approx(0.5)
    share.assign(1.0)
    train()
    assert weight.numpy() == pytest.approx([-0.75], abs=1e-5)


def test_a_schedule_by_time_can_be_stored() -> None:
    schedule = by_time(cosine(0.1, 1000, 0.0, 10, 0.5), 1000, tf.Variable(0.25))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(again(10)) == pytest.approx(0.1)
