"""Fifty steps of a small network with batch norms, on one device or on several that share each batch."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ssd.models.detector import SSD, NMSSettings, PriorSpec
from ssd.models.layers import batch_norm
from ssd.training.joining import join_replicas
from ssd.training.loss import MultiBoxLoss
from ssd.training.optimizers import at_share_of_the_rate, fused, with_summed_gradients
from ssd.training.replicas import ALONE, Replicas
from ssd.training.step import exclude_from_weight_decay, make_train_step
from ssd.training.targets import TargetEncoder

STEPS, BATCH, SIDE = 50, 8, 32
FROZEN, LEARNING = "frozen", "learning"  # batch norms


def network(batch_norms: str) -> SSD:
    """Two convolutions, each with a batch norm that keeps its statistics or learns."""
    images = keras.Input((SIDE, SIDE, 3), dtype="uint8", name="image")
    hidden = keras.layers.Rescaling(1 / 127.5, -1.0)(images)
    for filters in (8, 16):
        hidden = keras.layers.Conv2D(filters, 3, strides=4, padding="same", use_bias=False, name=f"c{filters}")(hidden)
        norm = batch_norm(f"norm_{filters}")
        norm.trainable = batch_norms == LEARNING
        hidden = keras.layers.ReLU()(norm(hidden))
    priors = PriorSpec((0.4, 0.9), ((2.0,),), "feature_map", clip=False)
    nms = NMSSettings(0.01, 0.45, 100, 20)
    return SSD(keras.Model(images, [hidden]), ("a", "b"), [], priors, (0.1, 0.1, 0.2, 0.2), False, nms)


def batch(step: int) -> dict[str, np.ndarray]:
    """Noise with up to three boxes an image, none in some: each device's part has other numbers of positives."""
    random = np.random.default_rng(step)
    corners = random.uniform(0, 0.6, (BATCH, 3, 2))
    labels = random.integers(0, 2, (BATCH, 3))
    labels[np.arange(3) >= random.integers(0, 4, (BATCH, 1))] = -1
    boxes = np.concatenate([corners, corners + random.uniform(0.2, 0.4, (BATCH, 3, 2))], axis=-1)
    return {
        "image": random.integers(0, 256, (BATCH, SIDE, SIDE, 3), np.uint8),
        "boxes": boxes.astype(np.float32),
        "labels": labels.astype(np.int32),
    }


def train(replicas: Replicas, batch_norms: str, micro_batches: int = 1, synchronized: bool = True) -> list[np.ndarray]:
    """The losses of the last step, then the weights: by Adam, with clipping by the norm, weight decay and two rates."""
    keras.utils.set_random_seed(0)
    with replicas.scope():
        model = network(batch_norms)
        adam = fused(keras.optimizers.AdamW(1e-3, global_clipnorm=1.0, weight_decay=1e-3))
        optimizer = at_share_of_the_rate(with_summed_gradients(adam), model.backbone.trainable_variables, 0.5)
        exclude_from_weight_decay(optimizer, model)
        optimizer.build(model.trainable_variables)
    encode, loss = TargetEncoder(model.box_coder, 0.5), MultiBoxLoss(3.0, 1.0)
    step = make_train_step(model, optimizer, encode, loss, False, None, replicas, micro_batches, synchronized)
    for number in range(STEPS):
        losses = step({name: tf.constant(values) for name, values in batch(number).items()})
    assert int(np.asarray(optimizer.iterations)) == STEPS
    return [np.array([float(loss) for loss in losses]), *model.get_weights()]


def on_one_and_on_two_devices(folder: str) -> None:
    """Writes what each way of a device and of two comes to, beside one another."""
    two = join_replicas(2)  # before anything is computed
    for name, results in (
        ("frozen", train(ALONE, FROZEN)),
        ("frozen_shared", train(two, FROZEN, micro_batches=2)),
        ("learning", train(ALONE, LEARNING)),
        ("learning_shared", train(two, LEARNING)),
        ("learning_apart", train(two, LEARNING, synchronized=False)),
    ):
        np.savez(Path(folder, f"{name}.npz"), *results)
