"""Detectors in OpenVINO's format: the network by OpenVINO's converter, decoding and NMS in its operations behind it."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import openvino as ov
import tensorflow as tf
from numpy.typing import NDArray
from openvino import opset15 as ops
from openvino._offline_transformations import apply_moc_transformations

from ssd.export.blame import Outputs
from ssd.export.serving import OUTPUTS, every_layer, images_of, layer_of, named_after
from ssd.inference.exported import KEY, Metadata
from ssd.inference.folding import FoldedNetwork
from ssd.inference.openvino_network import core, read_metadata, read_model, settings
from ssd.models.box_coder import MAX_LOG_SCALE, BoxCoder
from ssd.models.detector import SSD, NMSSettings

ENTRANCES = {name: f"decoding/{name}" for name in OUTPUTS}  # operations that take the network's outputs


def write_openvino(
    model: SSD, folded: FoldedNetwork, metadata: Metadata, file: Path, calibration: Iterable[NDArray[np.uint8]]
) -> None:
    """Writes FILE.xml and its weights in FILE.bin: images → boxes, labels, scores, count (see `Decoder`).

    Args:
        model: the detector.
        folded: its network in float32.
        metadata: whose precision is float32; bfloat16 and float16, with weights in float16 and the first also with
            arithmetic in bfloat16; or int8.
        file: to write.
        calibration: (1, S, S, 3) images, for int8.
    """
    made = openvino_network(traced(folded, model))
    if metadata.precision == "int8":
        made = _quantized(made, calibration)
    made = with_decoding(made, model.box_coder, model.nms)
    made.set_rt_info(metadata.to_json(), [KEY])
    file.parent.mkdir(parents=True, exist_ok=True)
    ov.save_model(made, file, compress_to_fp16=metadata.precision in ("bfloat16", "float16"))


def layer_outputs(file: Path, images: NDArray[np.uint8]) -> Outputs:
    """What the layers of a written file give for (B, S, S, 3) images, as far as it tells them."""
    model = read_model(file)
    metadata = read_metadata(model, file)
    operations = {
        layer: operation
        for operation in model.get_ordered_ops()
        if (layer := layer_of(operation.get_friendly_name())) is not None
        and operation.get_type_name() not in ("FakeQuantize", "Constant", "Convert", "Result")
    }
    results = [ops.result(operation) for operation in operations.values()]
    told = ov.Model(results, model.get_parameters(), "layers")
    compiled = core().compile_model(told, "CPU", settings(metadata.precision, len(images)))
    values = compiled(images)
    return {layer: np.asarray(values[number], np.float32) for number, layer in enumerate(operations)}


def traced(network: FoldedNetwork, model: SSD) -> tf.types.experimental.ConcreteFunction:
    """The graph of a detector's folded network, which has the weights that are in it whenever it is converted.

    The converter moves channels to another place, by which most operations lose their names. So it gets a network that
    gives the outputs of every layer, of which those that are not asked for are left out again.
    """
    return tf.function(every_layer(network), input_signature=[images_of(model)]).get_concrete_function()


def openvino_network(function: tf.types.experimental.ConcreteFunction) -> ov.Model:
    """Of what `traced` gave: (B, S, S, 3) uint8 → offsets, logits; its operations are named after their layers."""
    made = ov.convert_model(function)
    for output in made.outputs:
        operation = output.get_node().input_value(0).get_node()
        if operation.get_type_name() == "Transpose":
            operation = operation.input_value(0).get_node()
        operation.set_friendly_name(named_after(output.get_any_name()))
    network = ov.Model([made.output(name).get_node() for name in OUTPUTS], made.get_parameters(), "network")
    apply_moc_transformations(network, cf=False)  # moves of channels there and back, which had an output in between
    return network


def with_decoding(network: ov.Model, coder: BoxCoder, nms: NMSSettings) -> ov.Model:
    """Offsets and logits of a network → boxes (B, K, 4), labels (B, K), scores (B, K), count (B,).

    MulticlassNms does what `Decoder` does. Its rows of all images come one behind the other; they are gathered into K
    places per image, of which those left empty get the row of zeros behind the last one.
    """
    found = _nms(network, coder, nms)
    rows = ops.concat([found.output(0), _floats(np.zeros((1, 6)))], 0)
    count = found.output(2)
    start = ops.cumsum(count, _ints(0), exclusive=True)
    places = _ints(np.arange(nms.max_detections)[None])
    total = ops.reduce_sum(count, _ints(0), keep_dims=True)
    used = ops.less(places, ops.unsqueeze(count, _ints(1)))
    row = ops.select(used, ops.add(ops.unsqueeze(start, _ints(1)), places), total)
    padded = ops.gather(rows, row, _ints(0))
    outputs = {
        "boxes": ops.gather(padded, _ints([2, 3, 4, 5]), _ints(2)),
        "labels": ops.convert(ops.subtract(_column(padded, 0), ops.convert(used, "f32")), "i32"),
        "scores": _column(padded, 1),
        "count": count,
    }
    results = []
    for name, value in outputs.items():
        result = ops.result(value, name=name)
        result.output(0).set_names({name})
        results.append(result)
    return ov.Model(results, network.get_parameters(), "detector")


def _nms(network: ov.Model, coder: BoxCoder, nms: NMSSettings) -> ov.Node:
    """The rows (N, 6) label with background, score, box; and how many of them each image has."""
    offsets, logits = (_output(network, name) for name in OUTPUTS)
    # both corners at once, and a softmax over what does not lie side by side: OpenVINO takes half the time for them
    shift = ops.gather(offsets, _ints([0, 1, 0, 1]), _ints(2), name=ENTRANCES["offsets"])
    log_size = ops.gather(offsets, _ints([2, 3, 2, 3]), _ints(2))
    variances, sizes = np.asarray(coder.variances), coder.priors[:, [2, 3, 2, 3]]
    center = ops.add(
        ops.multiply(shift, _floats(sizes * variances[[0, 1, 0, 1]])), _floats(coder.priors[:, [0, 1, 0, 1]])
    )
    log_size = ops.minimum(ops.multiply(log_size, _floats(variances[[2, 3, 2, 3]])), _floats(MAX_LOG_SCALE))
    corners = ops.add(center, ops.multiply(ops.exp(log_size), _floats(sizes * np.array([-0.5, -0.5, 0.5, 0.5]))))
    return ops.multiclass_nms(
        ops.clamp(corners, 0.0, 1.0),
        ops.softmax(ops.transpose(logits, _ints([0, 2, 1]), name=ENTRANCES["logits"]), 1),
        sort_result_type="score",
        sort_result_across_batch=False,
        output_type="i32",
        iou_threshold=nms.iou,
        score_threshold=nms.score_threshold,
        nms_top_k=nms.max_per_class,
        keep_top_k=nms.max_detections,
        background_class=0,
        nms_eta=1.0,
        normalized=True,
    )


def _output(network: ov.Model, name: str) -> ov.Output:
    """What an output of the network gives, without its end."""
    return network.output(name).get_node().input_value(0)


def _column(rows: ov.Node, number: int) -> ov.Node:
    return ops.gather(rows, _ints(number), _ints(2))


def _ints(values: object) -> ov.Node:
    return ops.constant(np.asarray(values, np.int32))


def _floats(values: object) -> ov.Node:
    return ops.constant(np.asarray(values, np.float32))


def _quantized(network: ov.Model, calibration: Iterable[NDArray[np.uint8]]) -> ov.Model:
    """With int8 convolutions, by NNCF: weights per channel, activations by the range that they have in the images."""
    import nncf

    images = list(calibration)
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own function sets the level of others' handlers, too
    quantized: ov.Model = nncf.quantize(
        network, nncf.Dataset(images), subset_size=len(images), preset=nncf.QuantizationPreset.MIXED
    )
    return quantized
