"""Scalars for TensorBoard."""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf


class ScalarWriter:
    """Writes event files that `tensorboard --logdir` shows.

    tf.summary.scalar needs the tensorboard package, which TensorFlow 2.21 no longer brings. The event it would write is
    a tensor marked for the plugin "scalars", and TensorFlow itself can write that; only the viewer is needed, later.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = tf.summary.create_file_writer(str(folder))
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Writes the metrics of one step and flushes them, so that the page is up to date."""
        with self._writer.as_default():
            for name, value in metrics.items():
                tf.summary.write(name, tf.constant(value, tf.float32), step=step, metadata=self._metadata)
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()
