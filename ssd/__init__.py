"""SSD object detection experiments in TensorFlow/Keras 3, configured with Hydra and tracked with MLflow."""

import ssd.environment  # noqa: F401  (before any library)

__version__ = "0.1.0"
