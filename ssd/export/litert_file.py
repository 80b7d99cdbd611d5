"""Detectors as LiteRT (TensorFlow Lite): for phones, single-board computers, microcontrollers and edge accelerators."""

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.convert import mlir_quantize
from tensorflow.lite.python.schema_py_generated import ModelT
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from ssd.export.blame import Outputs
from ssd.export.litert_decoding import detections
from ssd.export.litert_metadata import finished, parsed
from ssd.export.serving import OUTPUTS, every_layer, images_of, layer_of
from ssd.inference.exported import Metadata
from ssd.inference.folding import FoldedNetwork
from ssd.inference.litert_network import open_interpreter, real_values
from ssd.models.detector import SSD
from ssd.runs.files import whole

_BEST_SCORES = "TOPK_V2"  # has two outputs, and is known to the quantizer by its kind only


def write_litert(
    model: SSD, folded: FoldedNetwork, metadata: Metadata, file: Path, calibration: Iterable[NDArray[np.uint8]]
) -> None:
    """Writes a file for one image: images → location, category, score, number of detections.

    Decoding is in LiteRT's built-in operations, and NMS is its own `TFLite_Detection_PostProcess`. In full_int8 every
    operation is of integers, and the outputs are offsets and logits: the priors are in the file, and NMS is the host's.

    Args:
        model: the detector.
        folded: its network in float32.
        metadata: whose precision is float32; float16, of the weights, and of arithmetic where a device has it; int8, of
            the network's weights and arithmetic; or full_int8.
        file: to write.
        calibration: (1, S, S, 3) images, for int8 and full_int8.
    """
    logging.getLogger("absl").setLevel(logging.ERROR)
    if metadata.precision == "full_int8":
        content = _full_int8(model, folded, calibration)
    else:
        content = _with_detections(model, folded, metadata.precision, calibration)
    with whole(file) as part:
        part.write_bytes(finished(content, metadata, model.box_coder))


def layer_outputs(file: Path, images: NDArray[np.uint8]) -> Outputs:
    """What the layers of a written file give for images (1, S, S, 3), as far as it tells them."""
    interpreter = open_interpreter(file.read_bytes(), file, keep_all=True)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    constant = {number for number, buffer in _constants(parsed(file.read_bytes()))}
    found = {}
    for tensor in interpreter.get_tensor_details():
        layer = layer_of(tensor["name"])
        if layer is not None and tensor["index"] not in constant and tensor["dtype"] in (np.float32, np.int8):
            found[layer] = real_values(interpreter, tensor)
    return found


def _constants(model: ModelT) -> list[tuple[int, int]]:
    """Tensors that hold weights, with their buffers."""
    return [
        (number, tensor.buffer)
        for number, tensor in enumerate(model.subgraphs[0].tensors)
        if model.buffers[tensor.buffer].data is not None
    ]


def _with_detections(
    model: SSD, folded: FoldedNetwork, precision: str, calibration: Iterable[NDArray[np.uint8]]
) -> bytes:
    frozen = _frozen(folded, model.image_size, tf.uint8)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return detections(model, *frozen(images))

    converter = _converter(serve, images_of(model, batch=1))
    converter.allow_custom_ops = True  # the one of NMS, which every LiteRT has
    if precision == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    if precision != "int8":
        return bytes(converter.convert())
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([images] for images in calibration)
    converter._experimental_calibrate_only = True  # as the converter itself can leave nothing in float
    calibrated = bytes(converter.convert())
    # decoding stays float, and so do the heads' outputs where they are put together: one int8 range for all of them
    # would be too wide for most
    names = [tensor.name.decode() for tensor in parsed(calibrated).subgraphs[0].tensors]
    return bytes(
        mlir_quantize(
            calibrated,
            input_data_type=tf.uint8,
            denylisted_nodes=[name for name in names if layer_of(name) in (None, *OUTPUTS)],
            denylisted_ops=[_BEST_SCORES],
        )
    )


def _full_int8(model: SSD, folded: FoldedNetwork, calibration: Iterable[NDArray[np.uint8]]) -> bytes:
    frozen = _frozen(folded, model.image_size, tf.float32)  # from which the converter makes integers, too
    converter = _converter(
        lambda images: dict(zip(OUTPUTS, frozen(images), strict=True)),
        tf.TensorSpec((1, model.image_size, model.image_size, 3), tf.float32, name="images"),
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([images.astype(np.float32)] for images in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _frozen(folded: FoldedNetwork, size: int, dtype: tf.DType) -> Callable[[tf.Tensor], list[tf.Tensor]]:
    """The network with its weights as constants: (1, S, S, 3) images → [offsets, logits]."""
    run = every_layer(folded)

    def outputs(images: tf.Tensor) -> list[tf.Tensor]:
        values = run(images)
        return [values[name] for name in OUTPUTS]

    images = tf.TensorSpec((1, size, size, 3), dtype, name="images")
    concrete = tf.function(outputs, input_signature=[images]).get_concrete_function()
    frozen: Callable[[tf.Tensor], list[tf.Tensor]] = convert_variables_to_constants_v2(concrete)
    return frozen


def _converter(serve: Callable[[tf.Tensor], dict[str, tf.Tensor]], images: tf.TensorSpec) -> tf.lite.TFLiteConverter:
    module = tf.Module()  # without which the converter does not keep the operation that stands for a function
    module.serve = tf.function(serve, input_signature=[images])
    return tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
