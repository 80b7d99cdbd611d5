"""Whole trainings, of a few steps each."""

import shutil
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """The folder that all runs of a module start from."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copy(empty_store, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
