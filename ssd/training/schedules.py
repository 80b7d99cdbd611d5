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
