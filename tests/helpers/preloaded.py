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

tensorflow.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # as in tests/tasks/conftest.py
gc.freeze()  # no collection in a forked process looks at what was imported, or copies its memory
