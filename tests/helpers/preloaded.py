"""Imported by the process that `warm` forks from; nothing here computes, so that TensorFlow has no threads yet."""

import gc
import tempfile
from pathlib import Path

import albumentations  # noqa: F401
import alembic.command  # noqa: F401
import git  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import mlflow.store.tracking.sqlalchemy_workspace_store  # noqa: F401
import optuna  # noqa: F401
import pytest
import tensorflow
import tensorflow_datasets  # noqa: F401

import ssd.cli.main
import ssd.tasks.train  # noqa: F401
from helpers.blank_charts import BlankCanvas
from helpers.quick_composition import compose_quickly
from ssd.export import converted
from ssd.figures import style
from ssd.inference import cost
from ssd.training import one_loop

# as in tests/conftest.py and tests/tasks/conftest.py
compose_quickly(pytest.MonkeyPatch())
one_loop.has_xla = lambda: False  # type: ignore[assignment]
cost.TURNS, cost.DISTURBED = 1, 1.0
_place = tempfile.TemporaryDirectory(prefix="converted-")
converted.cache_folder = lambda: Path(_place.name)  # type: ignore[assignment]
style.FigureCanvasAgg = BlankCanvas  # type: ignore[assignment,misc]
tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
gc.freeze()  # no collection in a forked process looks at what was imported, or copies its memory
