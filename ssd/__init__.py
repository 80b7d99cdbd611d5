"""SSD object detection experiments in TensorFlow/Keras 3, configured with Hydra and tracked with MLflow."""

__version__ = "0.1.0"
