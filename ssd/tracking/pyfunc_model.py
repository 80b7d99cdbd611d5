"""The detector as an MLflow pyfunc ("models from code"): MLflow copies this file into the model and runs it.

Used through MLflow, with a batch of images of any size as uint8 RGB::

    model = mlflow.pyfunc.load_model("models:/m-...")
    table = model.predict(images, params={"score_threshold": 0.3})  # images: (N, H, W, 3) uint8

A program of its own: nothing in the project imports it.
"""

from base64 import b64decode
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

from ssd import Detector
from ssd.errors import UserError, kind_of
from ssd.tracking.signature import COLUMNS


class PyfuncDetector(PythonModel):
    """Gives one row per detection, best first within an image; an image without detections has no row."""

    # MLflow takes a type hint of model_input for a schema, knows only lists, and asks for one where there is none. The
    # signature below says it all: hence no hint, and no advice (MLflow's own switch).
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        self.detector = Detector.load(context.artifacts["checkpoint"])

    def predict(self, context: PythonModelContext, model_input, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ANN001
        """Detects objects.

        Args:
            context: unused here, given by MLflow.
            model_input: (N, H, W, 3) uint8 RGB, upright: pixels do not say how a camera was held. Or a list as MLflow's
                server makes of JSON: the same numbers, or files as text in base64, which are turned as their EXIF says.
            params: score_threshold, the least score of a row.

        Returns:
            DataFrame with image (row in the batch), class_name, label, score and ymin, xmin, ymax, xmax in pixels.

        Raises:
            MlflowException: the images or the threshold cannot be used.
        """
        threshold = float((params or {}).get("score_threshold", 0.5))
        if not 0 <= threshold <= 1:
            raise MlflowException.invalid_parameter_value(f"score_threshold={threshold} must be between 0 and 1")
        images = of_json(model_input)
        if (wrong := what_is_wrong(images)) is not None:
            raise MlflowException.invalid_parameter_value(f"{wrong}; give a numpy array (N, H, W, 3) of uint8, RGB")
        if len(images) == 0:
            return pd.DataFrame(columns=list(COLUMNS))
        try:
            every = self.detector(images, threshold)
        except UserError as error:  # a file
            raise MlflowException.invalid_parameter_value(str(error)) from error
        rows = [
            (image, one.class_name, one.label, one.score, ymin, xmin, ymax, xmax)
            for image, found in enumerate(every)
            for one in found
            for xmin, ymin, xmax, ymax in [one.box]
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def of_json(given: Any) -> Any:
    """Lists of JSON as what they stand for: files in base64 as their bytes, numbers as an array; else as it is.

    Raises:
        MlflowException: text that is not in base64.
    """
    if not isinstance(given, list):
        return given
    if given and all(isinstance(one, str) for one in given):
        try:
            return [b64decode(one, validate=True) for one in given]
        except ValueError as error:
            raise MlflowException.invalid_parameter_value(f"the images are text, but not base64 ({error})") from error
    try:
        array = np.asarray(given)
    except ValueError:  # rows of different lengths
        return given
    is_pixels = array.dtype.kind in "iu" and array.size > 0 and array.min() >= 0 and array.max() <= 255
    return array.astype(np.uint8) if is_pixels else array


def what_is_wrong(images: Any) -> str | None:
    """Says why something is no batch of images, without showing its pixels; None where it is one."""
    if isinstance(images, list) and images and all(isinstance(one, bytes) for one in images):
        return None
    if not isinstance(images, np.ndarray):
        return f"the images are {kind_of(images)}"
    if images.dtype != np.uint8:
        return f"the images are of type {images.dtype}"
    if images.ndim != 4 or images.shape[-1] != 3:
        return f"the images have the shape {images.shape}"
    return f"the images have the shape {images.shape}, no pixels" if len(images) and images.size == 0 else None


set_model(PyfuncDetector())
