"""Exports without decoding and NMS give the network's offsets and logits."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray

from helpers.fake_detector import make_detector
from ssd.benchmark.bare import load_bare
from ssd.export.calibration import calibrate
from ssd.export.matrix import Variant
from ssd.export.network_only import write_network_only
from ssd.export.write import write_export
from ssd.inference.keras_network import KerasNetwork

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def outputs_of(file: Path) -> list[NDArray[np.float32]]:
    """For the first image."""
    if file.suffix == ".onnx":
        from ssd.inference.onnx_network import open_session

        return list(open_session(str(file), file).run(None, {"images": IMAGES[:1]}))
    if file.suffix == ".xml":
        import openvino as ov

        return list(ov.Core().compile_model(file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(IMAGES[:1]).values())
    from ssd.inference.litert_network import open_interpreter

    interpreter = open_interpreter(file.read_bytes(), file)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], IMAGES[:1])
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.mark.parametrize("kind", ["onnx", "openvino", "litert"])
@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_outputs(kind: str, precision: str, tmp_path: Path) -> None:
    model = make_detector()
    file = write_export(
        model, Variant(kind, precision), "run", tmp_path, calibrate(model, [image[None] for image in IMAGES])
    )
    network = write_network_only(kind, file, tmp_path)
    right = KerasNetwork(model, policy="float32").outputs(tf.constant(IMAGES[:1]))
    found = {values.size: values.ravel() for values in outputs_of(network)}  # of any shape
    within = {"float32": 1e-5, "float16": 1e-2, "int8": 0.1}[precision]
    assert len(found) == 2
    for values in right.values():
        np.testing.assert_allclose(found[values.numpy().size], values.numpy().ravel(), atol=within)
    load_bare(network, 2, "float32")(IMAGES)
