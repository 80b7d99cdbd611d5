"""Exported files without decoding and NMS, to tell what of their time is the network's."""

from pathlib import Path

from ssd.export.serving import OUTPUTS, layer_of
from ssd.inference.exported import KEY


def write_network_only(kind: str, file: Path, folder: Path) -> Path:
    """Writes what an exported file computes up to offsets and logits, and gives its place.

    Args:
        kind: onnx, openvino or litert; a SavedModel has Keras' own network.
        file: that task=export wrote.
        folder: to write into.
    """
    target = folder / f"network{file.suffix}"
    if kind == "onnx":
        import onnx

        onnx.save(onnx.utils.Extractor(onnx.load(file)).extract_model(["images"], list(OUTPUTS)), target)
    elif kind == "openvino":
        _openvino(file, target)
    else:
        target.write_bytes(_litert(file.read_bytes()))
    return target


def _openvino(file: Path, target: Path) -> None:
    import openvino as ov
    from openvino import opset15 as ops

    from ssd.export.openvino_file import ENTRANCES
    from ssd.inference.openvino_network import read_metadata, read_model

    model = read_model(file)
    metadata = read_metadata(model, file)
    entrances = {operation.get_friendly_name(): operation for operation in model.get_ordered_ops()}
    results = [ops.result(entrances[ENTRANCES[name]].input_value(0)) for name in OUTPUTS]
    network = ov.Model(results, model.get_parameters(), "network")
    network.set_rt_info(metadata.to_json(), [KEY])
    ov.save_model(network, target, compress_to_fp16=False)


def _litert(content: bytes) -> bytes:
    """The operations that layers have, and those that they need; what others take of them are the outputs."""
    import numpy as np

    from ssd.export.litert_metadata import packed, parsed

    model = parsed(content)
    graph = model.subgraphs[0]
    needed: set[int] = set()  # tensors
    kept = []
    for operation in reversed(graph.operators):
        names = [graph.tensors[tensor].name.decode() for tensor in operation.outputs]
        if needed.intersection(operation.outputs.tolist()) or any(layer_of(name) is not None for name in names):
            needed.update(operation.inputs.tolist())
            kept.append(operation)
    made = {tensor for operation in kept for tensor in operation.outputs.tolist()}
    left_out = [operation for operation in graph.operators if operation not in kept]
    taken = {tensor for operation in left_out for tensor in operation.inputs.tolist()}
    graph.operators = kept[::-1]
    graph.outputs = np.array(sorted(made & taken), np.int32)
    model.signatureDefs = []
    model.metadata = []
    return packed(model)
