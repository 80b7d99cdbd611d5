"""The detector as an MLflow pyfunc ("models from code"): MLflow copies this file into the model and runs it.

Used through MLflow, with a batch of images of any size as uint8 RGB::

    model = mlflow.pyfunc.load_model("models:/m-...")
    table = model.predict(images, params={"score_threshold": 0.3})  # images: (N, H, W, 3) uint8
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, set_model
from mlflow.pyfunc import PythonModel, PythonModelContext
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from ssd.errors import kind_of
from ssd.inference.predictor import Predictor

COLUMNS = {
    "image": DataType.long,
    "class_name": DataType.string,
    "label": DataType.long,
    "score": DataType.double,
    "ymin": DataType.double,
    "xmin": DataType.double,
    "ymax": DataType.double,
    "xmax": DataType.double,
}


class PyfuncDetector(PythonModel):
    """Gives one row per detection, best first within an image; an image without detections has no row."""

    # MLflow takes a type hint of model_input for a schema, knows only lists, and asks for one where there is none. The
    # signature below says it all: hence no hint, and no advice (MLflow's own switch).
    _skip_type_hint_validation = True

    def load_context(self, context: PythonModelContext) -> None:
        self.predictor = Predictor.load(Path(context.artifacts["checkpoint"]))
        self._lower: tuple[float, Predictor] | None = None

    def predict(self, context: PythonModelContext, model_input, params: dict[str, Any] | None = None) -> pd.DataFrame:  # noqa: ANN001
        """Detects objects.

        Args:
            context: unused here, given by MLflow.
            model_input: (N, H, W, 3) uint8 RGB, upright: pixels do not say how a camera was held.
            params: score_threshold, the least score of a row.

        Returns:
            DataFrame with image (row in the batch), class_name, label, score and ymin, xmin, ymax, xmax in pixels.

        Raises:
            MlflowException: the images or the threshold cannot be used.
        """
        threshold = float((params or {}).get("score_threshold", 0.5))
        if not 0 <= threshold <= 1:
            raise MlflowException.invalid_parameter_value(f"score_threshold={threshold} must be between 0 and 1")
        if (wrong := what_is_wrong(model_input)) is not None:
            raise MlflowException.invalid_parameter_value(f"{wrong}; give a numpy array (N, H, W, 3) of uint8, RGB")
        if len(model_input) == 0:
            return pd.DataFrame(columns=list(COLUMNS))
        predictor = self._predictor(threshold)
        names = predictor.class_names
        height, width = model_input.shape[1:3]
        rows = [
            (image, names[label], int(label), float(score), *map(float, box * (height, width, height, width)))
            for image, found in enumerate(predictor.predict(list(model_input)))
            for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
            if score >= threshold
        ]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _predictor(self, threshold: float) -> Predictor:
        """The detector's own, or where it would drop what is asked for one that keeps it."""
        model = self.predictor.model
        if threshold >= model.nms.score_threshold:
            return self.predictor
        if self._lower is None or self._lower[0] != threshold:
            self._lower = threshold, Predictor(model, replace(model.nms, score_threshold=threshold))
        return self._lower[1]


def what_is_wrong(images: Any) -> str | None:
    """Says why something is no batch of images, without showing its pixels; None where it is one."""
    if not isinstance(images, np.ndarray):
        return f"the images are {kind_of(images)}"
    if images.dtype != np.uint8:
        return f"the images are of type {images.dtype}"
    if images.ndim != 4 or images.shape[-1] != 3:
        return f"the images have the shape {images.shape}"
    return f"the images have the shape {images.shape}, no pixels" if len(images) and images.size == 0 else None


def signature() -> ModelSignature:
    """What `PyfuncDetector.predict` takes and gives."""
    described = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))]),
        outputs=Schema([ColSpec(kind, name) for name, kind in COLUMNS.items()]),
        params=ParamSchema([ParamSpec("score_threshold", DataType.double, 0.5)]),
    )
    # MLflow's own check of inputs says what is wrong behind all the pixels; by this switch it leaves it to `predict`.
    described._is_signature_from_type_hint = True
    return described


set_model(PyfuncDetector())
