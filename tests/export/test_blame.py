"""The layer to blame is the one that was spoilt."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from helpers.fake_detector import make_detector
from ssd.export.blame import blame, verdict
from ssd.export.matrix import Variant
from ssd.export.write import layer_outputs, write_export

IMAGES = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
VARIANT = Variant("onnx", "float32")


@pytest.mark.parametrize("spoilt", ["class_head_0", "box_head_0", None])
def test_a_spoilt_layer(spoilt: str | None, tmp_path: Path) -> None:
    model = make_detector()
    file = write_export(model, VARIANT, "run", tmp_path)
    if spoilt is not None:
        graph = onnx.load(file)
        (node,) = [node for node in graph.graph.node if node.op_type == "Conv" and f"/{spoilt}/" in node.name]
        for weights in graph.graph.initializer:
            if weights.name == node.input[1]:
                weights.CopyFrom(numpy_helper.from_array(1.1 * numpy_helper.to_array(weights), weights.name))
        onnx.save(graph, file)
    layers = blame(model, IMAGES, layer_outputs(model, VARIANT, file, IMAGES))
    said = verdict(layers, "float32")
    if spoilt is None:
        assert "the network's layers agree" in said
        assert "decoding or NMS" in said
    else:
        assert layers[0].name == spoilt
        assert 0.01 < layers[0].added < 0.2
        assert said.startswith(f"layer {spoilt} adds most")


def test_a_file_that_tells_nothing() -> None:
    assert verdict([], "int8") == "the file does not tell its layers' outputs"
