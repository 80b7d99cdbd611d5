"""A checkpoint as a model in MLflow."""

from importlib.metadata import version
from pathlib import Path

import mlflow
import numpy as np

from ssd.environment import ROOT
from ssd.tracking.signature import signature

PACKAGES = ("mlflow", "tensorflow", "keras", "numpy", "opencv-python-headless", "pillow", "pandas")


def log_pyfunc(checkpoint: Path) -> None:
    """Logs it into the active run, with signature and example; see `pyfunc_model.py` for its use."""
    mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).with_name("pyfunc_model.py")),
        artifacts={"checkpoint": str(checkpoint)},
        code_paths=[str(ROOT / "ssd")],
        signature=signature(),
        input_example=np.zeros((1, 32, 32, 3), np.uint8),
        pip_requirements=[f"{name}=={version(name)}" for name in PACKAGES],
    )
