"""Imported by the process that `warm` forks from; nothing here computes, so that TensorFlow has no threads yet."""

import albumentations  # noqa: F401
import keras  # noqa: F401
import matplotlib.figure  # noqa: F401
import mlflow  # noqa: F401
import optuna  # noqa: F401
import tensorflow  # noqa: F401
import tensorflow_datasets  # noqa: F401

import ssd.tasks.train  # noqa: F401
