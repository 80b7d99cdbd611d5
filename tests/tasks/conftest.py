"""Whole trainings, of a few steps each."""

from collections.abc import Iterator

import pytest
import tensorflow as tf

from helpers.blank_charts import BlankCanvas


@pytest.fixture(autouse=True, scope="module")
def few_steps() -> Iterator[None]:
    """Without what costs more here than it saves: TensorFlow's work on graphs, XLA, turns of latency, charts.

    Loops compiled by XLA are tested in tests/training/test_network.py, and one of the recipes has them; charts in
    tests/figures, and one training of test_way_through.py draws them.
    """
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ssd.training.one_loop.has_xla", lambda: False)
        patch.setattr("ssd.inference.cost.TURNS", 1)
        patch.setattr("ssd.inference.cost.DISTURBED", 1.0)
        patch.setattr("ssd.figures.style.FigureCanvasAgg", BlankCanvas)
        yield
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False})
