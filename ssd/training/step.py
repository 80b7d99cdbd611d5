"""One optimizer step and one validation pass, compiled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf
from rich import get_console
from rich.progress import track

from ssd.data.pipeline import Batches
from ssd.inference.decoder import Decoder, to_detections
from ssd.inference.detections import Detections
from ssd.models.detector import SSD
from ssd.training.loss import Losses, MultiBoxLoss

Batch = Mapping[str, tf.Tensor]


def exclude_from_weight_decay(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """Leaves weight decay to convolution kernels: none on biases, batch norms and L2Norm's scale.

    Must be called before the optimizer is built.
    """
    others = [variable for variable in model.trainable_variables if "kernel" not in variable.name]
    optimizer.exclude_from_weight_decay(var_list=others)


def make_train_step(
    model: SSD, optimizer: keras.optimizers.Optimizer, loss: MultiBoxLoss, jit_compile: bool
) -> Callable[[Batch], Losses]:
    """A compiled function: a batch in, its losses out, the model one step on.

    Args:
        model: called in training mode.
        optimizer: built for the model's trainable variables; scales the loss where its policy asks for that.
        loss: of the batch.
        jit_compile: with XLA, which is fast on a GPU and several times slower for convolutions on a CPU.
    """

    @tf.function(jit_compile=jit_compile)
    def step(image: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor) -> Losses:
        with tf.GradientTape() as tape:
            outputs = model(image, training=True)
            losses = loss(boxes, labels, outputs["offsets"], outputs["logits"])
            scaled = optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
        return losses

    return lambda batch: step(batch["image"], batch["boxes"], batch["labels"])


@dataclass(frozen=True, eq=False)
class Validation:
    """Losses (means per image) and the detections, one per image in the order of the data set."""

    losses: dict[str, float]
    detections: list[Detections]


class Validator:
    """Runs a model over validation batches.

    Args:
        model: the detector.
        loss: of a batch.
        batches: not shuffled; rows with index -1 are padding and count for nothing.
    """

    def __init__(self, model: SSD, loss: MultiBoxLoss, batches: Batches) -> None:
        self.batches = batches
        self._model = model
        self._loss = loss
        self._decode = Decoder(model.priors, model.variances, model.nms)
        self._step = tf.function(self._forward)

    def __call__(self) -> Validation:
        """One pass over all batches."""
        sums = [0.0, 0.0, 0.0]
        detections: list[Detections] = []
        hidden = not get_console().is_terminal
        batches = self.batches.epoch(0)
        for batch in track(batches, "validating", total=len(self.batches), transient=True, disable=hidden):
            losses, decoded = self._step(batch)
            found = to_detections(decoded)
            sums = [total + float(value) * len(found) for total, value in zip(sums, losses[:3], strict=True)]
            detections += found
        names = ("loss", "loss_cls", "loss_box")
        return Validation({n: total / len(detections) for n, total in zip(names, sums, strict=True)}, detections)

    def _forward(self, batch: Batch) -> tuple[Losses, dict[str, tf.Tensor]]:
        outputs = self._model(batch["image"], training=False)
        real = tf.reduce_sum(tf.cast(batch["index"] >= 0, tf.int32))
        offsets, logits = outputs["offsets"][:real], outputs["logits"][:real]
        losses = self._loss(batch["boxes"][:real], batch["labels"][:real], offsets, logits)
        return losses, self._decode(offsets, logits)
