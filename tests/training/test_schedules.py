"""Learning rates at hand-computed steps."""

import keras
import pytest

from ssd.training.schedules import cosine, step


def rates(schedule, *steps):
    return [float(schedule(step)) for step in steps]


def test_step_is_the_papers():
    schedule = step(1e-3, 120_000, boundaries=[2 / 3, 5 / 6], factor=0.1, warmup_steps=0, warmup_factor=1.0)
    assert rates(schedule, 0, 79_999, 80_001, 99_999, 100_001) == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5])


def test_cosine_is_half_way_down_in_the_middle():
    schedule = cosine(0.2, 100, final_factor=0.0, warmup_steps=0, warmup_factor=1.0)
    assert rates(schedule, 0, 50, 100, 150) == pytest.approx([0.2, 0.1, 0.0, 0.0], abs=1e-7)


def test_warmup_rises_linearly_from_its_factor():
    schedule = step(1.0, 1000, boundaries=[1.0], factor=0.1, warmup_steps=10, warmup_factor=0.5)
    assert rates(schedule, 0, 5, 10, 20) == pytest.approx([0.5, 0.75, 1.0, 1.0])


def test_a_saved_optimizer_keeps_its_schedule():
    optimizer = keras.optimizers.SGD(cosine(0.2, 100, final_factor=0.1, warmup_steps=10, warmup_factor=0.1))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(optimizer))
    for at in (0, 5, 60, 100):
        optimizer.iterations.assign(at)
        again.iterations.assign(at)
        assert float(again.learning_rate) == pytest.approx(float(optimizer.learning_rate))
