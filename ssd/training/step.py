"""One optimizer step, compiled."""

from collections.abc import Callable

import keras
import tensorflow as tf

from ssd.data.pipeline import Batch
from ssd.models.detector import SSD
from ssd.training.diagnostics import Diagnostics
from ssd.training.loss import Losses, MultiBoxLoss
from ssd.training.network import TrainingNetwork
from ssd.training.targets import TargetEncoder


def exclude_from_weight_decay(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """Leaves weight decay to convolution kernels: none on biases, batch norms and L2Norm's scale.

    Must be called before the optimizer is built.
    """
    others = [variable for variable in model.trainable_variables if "kernel" not in variable.name]
    optimizer.exclude_from_weight_decay(var_list=others)


def make_train_step(
    model: SSD,
    optimizer: keras.optimizers.Optimizer,
    encode_targets: TargetEncoder,
    loss: MultiBoxLoss,
    jit_compile: bool,
    diagnostics: Diagnostics | None = None,
) -> Callable[[Batch], Losses]:
    """A compiled function: a batch in, its losses out, the model one step on.

    Args:
        model: called in training mode.
        optimizer: built for the model's trainable variables; scales the loss where its policy asks for that.
        encode_targets: of the batch, for the model's priors.
        loss: of the batch.
        jit_compile: with XLA, which is fast on a GPU and several times slower for convolutions on a CPU.
        diagnostics: that watch each step; None costs nothing.
    """

    def in_training(image: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs: dict[str, tf.Tensor] = model(image, training=True)
        return outputs

    network = in_training if jit_compile else TrainingNetwork(model)

    # Nothing in it is Python's own control flow over tensors, so that nobody need look for some.
    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(image: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor) -> Losses:
        with tf.GradientTape() as tape:
            outputs = network(image)
            with tf.name_scope("matching"):  # for profiles
                targets = encode_targets(boxes, labels)
            with tf.name_scope("loss"):
                losses = loss(targets, outputs["offsets"], outputs["logits"])
            scaled = optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled, model.trainable_variables)
        with tf.name_scope("optimizer"):
            if diagnostics is None:
                optimizer.apply(gradients, model.trainable_variables)
            else:
                diagnostics.apply(optimizer, gradients, losses, image.shape[0])
        return losses

    return lambda batch: step(batch["image"], batch["boxes"], batch["labels"])
