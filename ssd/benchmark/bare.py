"""Networks without decoding and NMS: images in, offsets and logits out, each by its runtime alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.runs.checkpoint import exported_format

Bare = Callable[[NDArray[np.uint8]], object]


def load_bare(file: Path, batch_size: int, policy: str) -> Bare:
    """What computes a network for (B, S, S, 3) images, and no more, as the `Network` of its format would.

    Args:
        file: a checkpoint, or what `write_network_only` wrote.
        batch_size: B.
        policy: the Keras dtype policy that a checkpoint computes in.
    """
    kind = exported_format(file)
    if kind == "onnx":
        from ssd.inference.onnx_network import open_session

        session = open_session(str(file), file)
        return lambda images: session.run(None, {"images": images})
    if kind == "openvino":
        return _openvino(file, batch_size)
    if kind == "litert":
        return _litert(file)
    return _keras(file, batch_size, policy)


def _openvino(file: Path, batch_size: int) -> Bare:
    import openvino as ov

    from ssd.inference.openvino_network import core, read_metadata, read_model, settings

    model = read_model(file)
    metadata = read_metadata(model, file)
    model.reshape([1, metadata.image_size, metadata.image_size, 3])
    compiled = core().compile_model(model, "CPU", settings(metadata.precision, batch_size))
    queue = ov.AsyncInferQueue(compiled)

    def run(images: NDArray[np.uint8]) -> None:
        for index in range(len(images)):
            queue.start_async({0: images[index : index + 1]})
        queue.wait_all()

    return run


def _litert(file: Path) -> Bare:
    from ssd.inference.litert_network import open_interpreter

    interpreter = open_interpreter(file.read_bytes(), file)
    place = interpreter.get_input_details()[0]["index"]

    def run(images: NDArray[np.uint8]) -> None:
        for image in images:
            interpreter.set_tensor(place, image[None])
            interpreter.invoke()

    return run


def _keras(file: Path, batch_size: int, policy: str) -> Bare:
    import tensorflow as tf

    from ssd.inference.keras_network import KerasNetwork
    from ssd.models.checkpoint import load_detector

    network = KerasNetwork(load_detector(file), batch_size, policy)
    return lambda images: [values.numpy() for values in network.outputs(tf.constant(images)).values()]
