"""One optimizer step, compiled: forward, backward and update, on one device or on several that share the batch."""

from collections.abc import Callable

import keras
import tensorflow as tf

from ssd.data.pipeline import Batch
from ssd.models.detector import SSD
from ssd.training.diagnostics import Diagnostics
from ssd.training.loss import Losses, MultiBoxLoss
from ssd.training.micro_batches import summed_over_parts
from ssd.training.network import TrainingNetwork
from ssd.training.replicas import ALONE, Replicas, summed
from ssd.training.synchronized import batch_statistics, synchronized_batch_norms
from ssd.training.targets import TargetEncoder, Targets


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
    replicas: Replicas = ALONE,
    micro_batches: int = 1,
    synchronized: bool = False,
) -> Callable[[Batch], Losses]:
    """A compiled function: a batch in, its losses out, the model one step on.

    Which devices share a batch, and in how many parts it passes the network, changes the result by rounding alone: the
    losses are divided by the positives of the whole batch, and gradients and losses added up. Not so where batch norms
    learn: each takes the statistics of what passes it at once, on its device, or `synchronized` on all.

    Args:
        model: called in training mode.
        optimizer: built for the model's trainable variables; scales the loss where its policy asks for that.
        encode_targets: of the batch, for the model's priors.
        loss: of the batch.
        jit_compile: with XLA, which is fast on a GPU and several times slower for convolutions on a CPU.
        diagnostics: that watch each step; None costs nothing.
        replicas: that share the batch; the model and the optimizer were made in their scope.
        micro_batches: parts of a device's share that pass the network one after the other, in the memory of one.
        synchronized: batch norms take the statistics of the whole batch, on however many devices.
    """

    def in_training(image: tf.Tensor) -> dict[str, tf.Tensor]:
        outputs: dict[str, tf.Tensor] = model(image, training=True)
        return outputs

    others = synchronized_batch_norms(model) if synchronized and replicas.count > 1 else {}
    network = in_training if jit_compile and not others else TrainingNetwork(model, others, is_cpu=not jit_compile)
    variables = model.trainable_variables
    statistics = batch_statistics(model) if replicas.count > 1 and not synchronized else []

    def forward_backward(image: tf.Tensor, targets: Targets) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        """The gradients and the three losses of some images."""
        with tf.GradientTape() as tape:
            outputs = network(image)
            with tf.name_scope("loss"):
                losses = loss(targets, outputs["offsets"], outputs["logits"])
            scaled = optimizer.scale_loss(losses.total)
        gradients = tape.gradient(scaled, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return gradients, list(losses[:3])

    def step(image: tf.Tensor, boxes: tf.Tensor, labels: tf.Tensor) -> Losses:
        with tf.name_scope("matching"):  # for profiles
            targets = encode_targets(boxes, labels)
        matched, objects, unmatched = summed([targets.matched, targets.objects, targets.unmatched])
        targets = targets._replace(matched=matched)
        gradients, parts = summed_over_parts(forward_backward, micro_batches, image, targets)
        gradients, parts, means = summed((gradients, parts, [tf.identity(variable.value) for variable in statistics]))
        for variable, total in zip(statistics, means, strict=True):
            variable.assign(total / replicas.count)
        total, classification, localisation = parts
        losses = Losses(total, classification, localisation, matched, objects, unmatched)
        with tf.name_scope("optimizer"):
            if diagnostics is None:
                optimizer.apply(gradients, variables)
            else:
                diagnostics.apply(optimizer, gradients, losses, image.shape[0] * replicas.count)
        return losses

    # Nothing in it is Python's own control flow over tensors, so that nobody need look for some.
    run = replicas.compiled(step, jit_compile)
    return lambda batch: run(batch["image"], batch["boxes"], batch["labels"])
