"""A trained detector at work: checkpoint in, detections out, in a process that never saw the configuration."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.inference.decoder import Decoder, to_detections
from ssd.inference.detections import Detections
from ssd.inference.folding import FoldedNetwork
from ssd.models.checkpoint import load_detector
from ssd.models.detector import SSD, NMSSettings

Outputs = dict[str, tf.Tensor]


class Predictor:
    """Detects objects in images of any size.

    Args:
        model: the detector; where its weights change later, `refresh` takes them over.
        nms: settings of the decoding.
        batch_size: images that pass the network together; every batch is padded to it, so that it compiles once.
        policy: the Keras dtype policy that the network computes in; None: that of the model.
    """

    def __init__(self, model: SSD, nms: NMSSettings, batch_size: int = 8, policy: str | None = None) -> None:
        self.model = model
        self.class_names = model.class_names
        self.batch_size = batch_size
        self._network = FoldedNetwork(model, policy)
        self._run = tf.function(self._network)
        self._decode = tf.function(Decoder(model.box_coder, nms))

    @classmethod
    def load(cls, checkpoint: str | Path, batch_size: int = 8) -> "Predictor":
        """The predictor of a checkpoint file or run folder, with the NMS settings it was trained with."""
        model = load_detector(checkpoint)
        return cls(model, model.nms, batch_size)

    def refresh(self) -> None:
        """Takes over the weights that the model has now."""
        self._network.refresh()

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """Detections of each (H, W, 3) uint8 RGB image; boxes are fractions of its own height and width."""
        size = self.model.image_size
        resized = [cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR) for image in images]
        found: list[Detections] = []
        for start in range(0, len(resized), self.batch_size):
            part = resized[start : start + self.batch_size]
            batch = np.zeros((self.batch_size, size, size, 3), np.uint8)
            batch[: len(part)] = part
            found += self.predict_batch(tf.constant(batch))[: len(part)]
        return found

    def predict_batch(self, images: tf.Tensor) -> list[Detections]:
        """Detections of each of (B, S, S, 3) uint8 RGB images that already have the network's size."""
        return self.decode(self.outputs(images))

    def outputs(self, images: tf.Tensor) -> Outputs:
        """The network's outputs for (B, S, S, 3) uint8 RGB images, see `SSD`."""
        return self._run(images)

    def decode(self, outputs: Outputs) -> list[Detections]:
        """The detections of each image, from what `outputs` gives."""
        return to_detections(self._decode(outputs["offsets"], outputs["logits"]))

    def graph(self, images: tf.Tensor) -> tf.Graph:
        """The network that `outputs` runs for images of this shape."""
        return self._run.get_concrete_function(images).graph
