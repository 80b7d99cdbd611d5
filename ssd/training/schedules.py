"""Learning rate schedules: Keras' own behind a linear warm-up."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("ssd")
class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, its rate rising linearly from `factor` of its value to all of it over the first `steps`.

    lufficc/SSD starts from a third over 500 iterations, torchvision from 1/1000 over 1000.

    Args:
        schedule: the schedule that is warmed up to.
        steps: optimizer steps of the warm-up; 0 for none.
        factor: the share of the rate at step 0, in (0, 1].
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, steps: int, factor: float) -> None:
        self.schedule = schedule
        self.steps = steps
        self.factor = factor

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Rate of the optimizer step `step` (from 0)."""
        share = tf.minimum(tf.cast(step, tf.float32) / max(self.steps, 1), 1.0) if self.steps else 1.0
        return self.schedule(step) * (self.factor + (1.0 - self.factor) * share)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        schedule = keras.saving.serialize_keras_object(self.schedule)
        return {"schedule": schedule, "steps": self.steps, "factor": self.factor}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Warmup":
        """The schedule of `get_config`."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["steps"], config["factor"])


@keras.saving.register_keras_serializable("ssd")
class ByTime(keras.optimizers.schedules.LearningRateSchedule):
    """Another schedule, gone through by the share of a training's time that has passed instead of by its steps.

    Args:
        schedule: made for `total_steps`.
        total_steps: that stand for the whole time.
        share: variable that says how much of the time has passed, 0 to 1 (`Clock.share`); None: a new one.
    """

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        total_steps: int,
        share: tf.Variable | None = None,
    ) -> None:
        self.schedule = schedule
        self.total_steps = total_steps
        self.share = tf.Variable(0.0, trainable=False) if share is None else share

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of now, whatever the step."""
        return self.schedule(tf.cast(self.share * self.total_steps, tf.int32))

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments but the share, which is a clock's."""
        return {"schedule": keras.saving.serialize_keras_object(self.schedule), "total_steps": self.total_steps}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ByTime":
        """The schedule of `get_config`, its time not begun."""
        return cls(keras.saving.deserialize_keras_object(config["schedule"]), config["total_steps"])


def by_time(
    schedule: keras.optimizers.schedules.LearningRateSchedule, total_steps: int, share: tf.Variable
) -> keras.optimizers.schedules.LearningRateSchedule:
    """The schedule as `ByTime`; a warm-up before it still counts steps."""
    if isinstance(schedule, Warmup):
        return Warmup(ByTime(schedule.schedule, total_steps, share), schedule.steps, schedule.factor)
    return ByTime(schedule, total_steps, share)


def step(
    learning_rate: float,
    total_steps: int,
    boundaries: Sequence[float],
    factor: float,
    warmup_steps: int,
    warmup_factor: float,
) -> Warmup:
    """The rate times `factor` at each boundary, a fraction of the training (SSD: ÷10 at 80k and 100k of 120k)."""
    at = [round(boundary * total_steps) for boundary in boundaries]
    values = [learning_rate * factor**k for k in range(len(at) + 1)]
    return Warmup(keras.optimizers.schedules.PiecewiseConstantDecay(at, values), warmup_steps, warmup_factor)


def cosine(
    learning_rate: float, total_steps: int, final_factor: float, warmup_steps: int, warmup_factor: float
) -> Warmup:
    """Half a cosine from the rate to `final_factor` of it over the training (arXiv 1608.03983, without restarts)."""
    decay = keras.optimizers.schedules.CosineDecay(learning_rate, total_steps, alpha=final_factor)
    return Warmup(decay, warmup_steps, warmup_factor)
