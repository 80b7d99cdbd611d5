"""Whole trainings, of a few steps each."""

from collections.abc import Iterator

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True, scope="module")
def graphs_as_traced() -> Iterator[None]:
    """TensorFlow does not optimise graphs: for a few steps that takes longer than it saves."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
