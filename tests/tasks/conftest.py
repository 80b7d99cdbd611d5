"""Whole trainings, of a few steps each."""

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """TensorFlow does not optimise graphs, which takes longer than it saves here; latency is timed shortly."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.inference.cost.SECONDS", 0.05)
        yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
