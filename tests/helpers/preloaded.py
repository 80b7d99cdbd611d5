"""Imported by the process that `warm` forks from; nothing here computes, so that TensorFlow has no threads yet."""

import gc

import albumentations  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import mlflow  # noqa: F401
import optuna  # noqa: F401
import tensorflow
import tensorflow_datasets  # noqa: F401

import ssd.tasks.train  # noqa: F401
from helpers.blank_charts import BlankCanvas
from ssd.figures import style
from ssd.inference import cost
from ssd.training import one_loop

# as in tests/tasks/conftest.py
one_loop.has_xla = lambda: False  # type: ignore[assignment]
cost.TURNS, cost.DISTURBED = 1, 1.0
style.FigureCanvasAgg = BlankCanvas  # type: ignore[assignment,misc]
tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
gc.freeze()  # no collection in a forked process looks at what was imported, or copies its memory
