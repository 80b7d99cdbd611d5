"""Detectors as TensorFlow's SavedModel: what TensorFlow Serving, TF.js and other converters take."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.export.blame import Outputs, outputs_of_layers
from ssd.export.serving import images_of
from ssd.inference.decoder import Decoder
from ssd.inference.exported import Metadata
from ssd.inference.folding import FoldedNetwork
from ssd.inference.saved_model_network import METADATA
from ssd.models.detector import SSD
from ssd.runs.files import write_text


def write_saved_model(model: SSD, metadata: Metadata, folder: Path) -> None:
    """Writes a folder with the signature serving_default: images → boxes, labels, scores, count (see `Decoder`).

    Args:
        model: the detector.
        metadata: whose precision is float32, or bfloat16 or float16 for both arithmetic and weights.
        folder: that is not there yet.
    """
    network = FoldedNetwork(model, metadata.precision)
    decode = Decoder(model.box_coder, model.nms)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = network(images)
        return decode(outputs["offsets"], outputs["logits"])

    served = tf.Module()
    served.network = network.keras_model  # whose variables are saved
    served.serve = tf.function(serve, input_signature=[images_of(model)])
    tf.saved_model.save(served, folder, signatures={"serving_default": served.serve})
    write_text(folder / METADATA, metadata.to_json())


def layer_outputs(model: SSD, precision: str, images: NDArray[np.uint8]) -> Outputs:
    """What the layers of the network in a SavedModel give for (B, S, S, 3) images: they are Keras' own."""
    return outputs_of_layers(FoldedNetwork(model, precision).keras_model, images)
