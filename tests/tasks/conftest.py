"""Whole trainings, of a few steps each."""

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """TensorFlow does not optimise graphs, which takes longer than it saves here; latency is timed once."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.inference.cost.TURNS", 1)
        patch.setattr("ssd.inference.cost.DISTURBED", 1.0)
        yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
