"""Imported before a command: nothing is compiled, which takes longer than the few steps of a test."""

import tensorflow as tf

tf.config.run_functions_eagerly(True)
