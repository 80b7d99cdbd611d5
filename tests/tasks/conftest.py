"""Whole trainings, of a few steps each."""

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """What takes longer than it saves here: TensorFlow's optimising of graphs, loops compiled by XLA; one turn of latency.

    tests/training/test_network.py has these loops, and one of the recipes.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.training.one_loop.has_xla", lambda: False)
        patch.setattr("ssd.inference.cost.TURNS", 1)
        patch.setattr("ssd.inference.cost.DISTURBED", 1.0)
        yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
