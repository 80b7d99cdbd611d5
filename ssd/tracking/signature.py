"""What the detector as an MLflow pyfunc takes and gives."""

import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

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


def signature() -> ModelSignature:
    """What `PyfuncDetector.predict` (pyfunc_model.py) takes and gives."""
    described = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, -1, -1, 3))]),
        outputs=Schema([ColSpec(kind, name) for name, kind in COLUMNS.items()]),
        params=ParamSchema([ParamSpec("score_threshold", DataType.double, 0.5)]),
    )
    # MLflow's own check of inputs says what is wrong behind all the pixels; by this switch it leaves it to `predict`.
    described._is_signature_from_type_hint = True
    return described
