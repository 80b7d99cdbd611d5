"""A detector in Keras as it is used: folded, compiled, its decoder behind it."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.inference.decoder import Decoder, to_detections
from ssd.inference.detections import Detections
from ssd.inference.folding import FoldedNetwork, policy_of
from ssd.models.detector import SSD

Outputs = dict[str, tf.Tensor]


class KerasNetwork:
    """The network of a detector (see `ssd.inference.network.Network`), which validations run batch by batch, too.

    Args:
        model: the detector; where its weights change later, `refresh` takes them over.
        batch_size: to which calls with several images are padded, so that these compile once; a single one is not.
        policy: the Keras dtype policy that the network computes in; None: that of the model.
    """

    def __init__(self, model: SSD, batch_size: int = 8, policy: str | None = None) -> None:
        self.runtime = "keras"
        self.precision = policy or policy_of(model)
        self.class_names = model.class_names
        self.image_size = model.image_size
        self.score_threshold = model.nms.score_threshold
        self.nms_iou = model.nms.iou
        self.max_detections = model.nms.max_detections
        self._batch_size = batch_size
        self._network = FoldedNetwork(model, policy)
        self._run = tf.function(self._network, autograph=False)
        self._decode = tf.function(Decoder(model.box_coder, model.nms), autograph=False)

    def __call__(self, images: NDArray[np.uint8], score_threshold: float) -> list[Detections]:
        """Detections of each of (B, S, S, 3) uint8 RGB images, of at least this score; any B from 1 on."""
        found: list[Detections] = []
        for start in range(0, len(images), self._batch_size):
            part = images[start : start + self._batch_size]
            if 1 < len(part) < self._batch_size:
                part = np.concatenate([part, np.zeros((self._batch_size - len(part), *part.shape[1:]), np.uint8)])
            found += self.decode(self.outputs(tf.constant(part)), score_threshold)
        return found[: len(images)]

    def refresh(self) -> None:
        """Takes over the weights that the model has now."""
        self._network.refresh()

    def outputs(self, images: tf.Tensor) -> Outputs:
        """The network's outputs for (B, S, S, 3) uint8 RGB images, see `SSD`."""
        return self._run(images)

    def decode(self, outputs: Outputs, score_threshold: float | None = None) -> list[Detections]:
        """The detections of each image, from what `outputs` gives; by default above the model's own threshold."""
        least = self.score_threshold
        if score_threshold is not None:  # the decoder's is one that a score must exceed
            least = max(0.0, float(np.nextafter(np.float32(score_threshold), np.float32(-1))))
        return to_detections(self._decode(outputs["offsets"], outputs["logits"], tf.constant(least, tf.float32)))

    def begin(self, images: tf.Tensor) -> Outputs:
        """See `ssd.evaluation.validation.Validated`."""
        return self.outputs(images)

    def end(self, begun: Outputs) -> tuple[Outputs, list[Detections]]:
        """See `ssd.evaluation.validation.Validated`."""
        return begun, self.decode(begun)

    def graph(self, images: tf.Tensor) -> tf.Graph:
        """The network that `outputs` runs for images of this shape."""
        return self._run.get_concrete_function(images).graph
