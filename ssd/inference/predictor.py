"""A trained detector at work: checkpoint in, detections out, in a process that never saw the configuration."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

import ssd.models.detector
import ssd.models.layers
import ssd.training.schedules  # noqa: F401  (registers what a checkpoint's optimizer refers to)
from ssd.errors import UserError, first_line
from ssd.inference.decoder import Decoder, NMSSettings, to_detections
from ssd.inference.detections import Detections
from ssd.models.detector import SSD


def checkpoint_file(checkpoint: str | Path) -> Path:
    """The `.keras` file meant by a path to one, or by a run folder (its best, else its last checkpoint).

    Raises:
        UserError: where neither is there.
    """
    path = Path(checkpoint)
    if path.is_file():
        return path
    for name in ("best.keras", "last.keras"):
        if (file := path / "checkpoints" / name).is_file():
            return file
    raise UserError(
        f"checkpoint={checkpoint} is neither a .keras file nor a run folder with checkpoints; check the path"
    )


def load_detector(checkpoint: str | Path) -> SSD:
    """The detector of a checkpoint, with its class names, priors and preprocessing (and its optimizer, compiled).

    Raises:
        UserError: naming the file where it cannot be read as one of this project's checkpoints.
    """
    file = checkpoint_file(checkpoint)
    try:
        model = keras.saving.load_model(file)
    except Exception as error:  # zip, h5py and Keras raise many kinds
        raise UserError(
            f"{file} cannot be read as a checkpoint ({first_line(error)}); give one that this program wrote"
        ) from error
    if not isinstance(model, SSD):
        raise UserError(
            f"{file} holds a {type(model).__name__}, not a detector; give a checkpoint that this program wrote"
        )
    return model


class Predictor:
    """Detects objects in images of any size.

    Args:
        model: the detector.
        nms: settings of the decoding.
        batch_size: images that pass the network together; every batch is padded to it, so that it compiles once.
    """

    def __init__(self, model: SSD, nms: NMSSettings, batch_size: int = 8) -> None:
        self.model = model
        self.class_names = model.class_names
        self.batch_size = batch_size
        self._decode = Decoder(model.priors, model.variances, nms)
        self._step = tf.function(self._detect)

    @classmethod
    def load(cls, checkpoint: str | Path, batch_size: int = 8) -> "Predictor":
        """The predictor of a checkpoint file or run folder, with the NMS settings it was trained with."""
        model = load_detector(checkpoint)
        return cls(model, model.nms, batch_size)

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
        return to_detections(self._step(images))

    def graph(self, images: tf.Tensor) -> tf.Graph:
        """What `predict_batch` runs for images of this shape."""
        return self._step.get_concrete_function(images).graph

    def _detect(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs = self.model(images, training=False)
        return self._decode(outputs["offsets"], outputs["logits"])
