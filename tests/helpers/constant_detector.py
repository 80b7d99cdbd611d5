"""An exported detector, in OpenVINO's format, that finds the same two objects in every image."""

from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset13 as ops

from ssd.inference.exported import KEY, Metadata

SIZE = 32
BOXES = np.array([[[0.1, 0.2, 0.5, 0.6], [0.25, 0.5, 0.75, 1.0]]], np.float32)  # ymin, xmin, ymax, xmax
SCORES = np.array([[0.9, 0.3]], np.float32)


def write_constant_detector(file: Path) -> Path:
    """Writes it; its scores are 0.9 for a disc and 0.3 for a box."""
    images = ops.parameter([-1, SIZE, SIZE, 3], np.uint8, name="images")
    outputs = {
        "boxes": BOXES,
        "labels": np.array([[0, 1]], np.int32),
        "scores": SCORES,
        "count": np.array([2], np.int32),
    }
    results = []
    for name, value in outputs.items():
        result = ops.result(ops.constant(value))
        result.output(0).get_tensor().set_names({name})
        results.append(result)
    model = ov.Model(results, [images], "detector")
    metadata = Metadata("openvino", "float32", ("disc", "box"), SIZE, 0.01, 0.45, 400, 200, "nothing")
    model.set_rt_info(metadata.to_json(), [KEY])
    ov.save_model(model, file, compress_to_fp16=False)
    return file
