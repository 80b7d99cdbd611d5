"""Detectors as ONNX: the network by tf2onnx, decoding and NMS in ONNX's operations behind it."""

import logging
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import tf2onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers import float16

from ssd.export.blame import Outputs
from ssd.export.onnx_decoding import OPSET, decoding_graph
from ssd.export.serving import OUTPUTS, images_of, layer_of, network_function
from ssd.inference.exported import KEY, Metadata
from ssd.inference.folding import FoldedNetwork
from ssd.inference.onnx_network import open_session
from ssd.models.detector import SSD
from ssd.models.layers import L2Norm, Preprocess
from ssd.runs.files import whole

_NO_RESULTS = ("QuantizeLinear", "DequantizeLinear")  # around what a layer gives, also of its weights


def write_onnx(
    model: SSD, folded: FoldedNetwork, metadata: Metadata, file: Path, calibration: Iterable[NDArray[np.uint8]]
) -> None:
    """Writes a file with one input, images, and the outputs boxes, labels, scores and count (see `Decoder`).

    Args:
        model: the detector.
        folded: its network in float32.
        metadata: whose precision is float32; float16, of the network's weights and arithmetic; or int8.
        file: to write.
        calibration: (1, S, S, 3) images, for int8.
    """
    network = _network(folded, model)
    if metadata.precision == "float16":
        network = _in_half(network, model)
    elif metadata.precision == "int8":
        network = _quantized(network, calibration)
    decoding = onnx.compose.add_prefix(
        decoding_graph(model.box_coder, model.nms), "decoding/", rename_inputs=False, rename_outputs=False
    )
    decoding.ir_version = network.ir_version
    merged = onnx.compose.merge_models(network, decoding, io_map=[(name, name) for name in OUTPUTS])
    onnx.helper.set_model_props(merged, {KEY: metadata.to_json()})
    onnx.checker.check_model(merged, full_check=True)
    with whole(file) as part:
        onnx.save(merged, part)


def layer_outputs(file: Path, images: NDArray[np.uint8]) -> Outputs:
    """What the layers of a written file give for (B, S, S, 3) images, as far as it tells them."""
    model = onnx.load(file)
    tensors = {
        layer: node.output[0]
        for node in model.graph.node
        if (layer := layer_of(node.name)) is not None and node.op_type not in _NO_RESULTS
    }
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors.values())
    values = open_session(model.SerializeToString(), file).run(list(tensors.values()), {"images": images})
    return {layer: np.asarray(value, np.float32) for layer, value in zip(tensors, values, strict=True)}


def _network(folded: FoldedNetwork, model: SSD) -> onnx.ModelProto:
    """Images (B, S, S, 3) uint8 → offsets, logits."""
    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    function = network_function(folded, model)
    network, _ = tf2onnx.convert.from_function(function, input_signature=[images_of(model)], opset=OPSET)
    del network.opset_import[1:]  # of operations that are not used
    network.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "B"
    return network


def _in_half(network: onnx.ModelProto, model: SSD) -> onnx.ModelProto:
    """With weights and arithmetic in float16, but where that has too small a range: pixels, and sums of squares."""
    wide = {layer.name for layer in model.layers if isinstance(layer, Preprocess | L2Norm)}
    left = [node.name for node in network.graph.node if layer_of(node.name) in wide]
    half = float16.convert_float_to_float16(network, keep_io_types=True, node_block_list=left)
    leave_out_detours(half.graph)
    sorter = ONNXModel(half)  # its casts come last
    sorter.topological_sort()
    return sorter.model


def leave_out_detours(graph: onnx.GraphProto) -> None:
    """Leaves out casts to float16 and back, which the converter puts between operations that both are in float32."""
    casts = [node for node in graph.node if node.op_type == "Cast"]
    halved = {node.output[0]: node.input[0] for node in casts if node.attribute[0].i == onnx.TensorProto.FLOAT16}
    restored = {
        node.output[0]: halved[node.input[0]]
        for node in casts
        if node.attribute[0].i == onnx.TensorProto.FLOAT and node.input[0] in halved
    }
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = restored.get(name, name)
    outputs = {output.name for output in graph.output}
    left = [node for node in graph.node if node.output[0] not in restored.keys() - outputs]
    used = {name for node in left for name in node.input} | outputs
    for node in casts:
        if node.output[0] not in used:
            graph.node.remove(node)


class _Images(CalibrationDataReader):
    """Hands images to onnxruntime one by one."""

    def __init__(self, images: Iterable[NDArray[np.uint8]]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        image = next(self._images, None)
        return None if image is None else {"images": image}


def _quantized(network: onnx.ModelProto, calibration: Iterable[NDArray[np.uint8]]) -> onnx.ModelProto:
    """With int8 convolutions: weights per channel, activations by the range that they have in the images."""
    with TemporaryDirectory(prefix="ssd-export-") as folder:
        given, made = Path(folder, "float32.onnx"), Path(folder, "int8.onnx")
        onnx.save(network, Path(folder, "traced.onnx"))
        quant_pre_process(Path(folder, "traced.onnx"), given, skip_symbolic_shape=True)
        quantize_static(
            given,
            made,
            _Images(calibration),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Clip", "Relu", "Add"],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(made)
