"""How many images per second a detector trains on and predicts, in each precision.

    python benchmarks/network.py backbone=vgg16 detector=ssd300
    python benchmarks/network.py backbone=mobilenet_v2 backbone.freeze_batch_norm=true

Takes the overrides of run.py. Random weights and images, the batch of `training.batch_size`, nothing else on the
machine; the median of ten steps after two that compile. Where torchvision has the detector, it trains beside it, in an
environment of its own (`peer`; `--no-peer` leaves it out).
"""

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import numpy as np
import tensorflow as tf
from omegaconf import DictConfig
from peer import measured_by_peer
from rich.console import Console
from rich.table import Table

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.device import choose_precision, has_gpu
from ssd.experiment.build import build_detector, build_loss, build_optimizer, build_target_encoder
from ssd.inference.keras_network import KerasNetwork
from ssd.training.step import make_train_step

CLASSES = tuple(f"class {k}" for k in range(20))  # as many as VOC
OBJECTS = 8  # per image
STEPS = 10
_PEERS = {("vgg16", 300): "ssd300_vgg16", ("mobilenet_v3_large", 320): "ssdlite320_mobilenet_v3_large"}


def seconds(action: Callable[[], object]) -> float:
    """Median of `STEPS` calls, after two that compile."""
    times = []
    for _ in range(STEPS + 2):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return median(times[2:])


def random_batch(size: int, count: int) -> dict[str, tf.Tensor]:
    """As `Batches` gives them, of `count` images of noise."""
    random = np.random.default_rng(0)
    corners = random.uniform(0, 1, (count, OBJECTS, 2, 2)).astype(np.float32)
    return {
        "image": tf.constant(random.integers(0, 255, (count, size, size, 3), np.uint8)),
        "boxes": tf.constant(np.concatenate([corners.min(2), corners.max(2) + 0.01], axis=-1)),
        "labels": tf.constant(random.integers(0, len(CLASSES), (count, OBJECTS), np.int32)),
    }


def measure(cfg: DictConfig, policy: str) -> tuple[float, float]:
    """Images per second of training and of predicting (network, decoding and NMS)."""
    keras.config.set_dtype_policy(policy)
    model = build_detector(cfg, CLASSES)
    optimizer = build_optimizer(cfg, model, steps_per_epoch=1000)
    step = make_train_step(model, optimizer, build_target_encoder(cfg, model), build_loss(cfg), jit_compile=has_gpu())
    count = cfg.training.batch_size
    batch = random_batch(model.image_size, count)
    training = seconds(lambda: float(step(batch).total))
    network = KerasNetwork(model)
    predicting = seconds(lambda: network.decode(network.outputs(batch["image"])))
    return count / training, count / predicting


def main(overrides: Sequence[str]) -> None:
    """Prints the table."""
    (job,) = compose_jobs(["backbone.weights=null", *overrides], multirun=False)
    cfg = without_hydra(job)
    chosen, why = choose_precision("auto", build_detector(cfg, CLASSES))
    size, count = cfg.detector.image_size, cfg.training.batch_size
    table = Table(title=f"{cfg.backbone.name} {cfg.detector.name}, {size} px, batch {count}")
    for name in ("precision", "trains, images/s", "predicts, images/s"):
        table.add_column(name, justify="right")
    for policy in ("float32", "mixed_bfloat16"):
        trains, predicts = measure(cfg, policy)
        table.add_row(f"{policy}{' (auto)' if policy == chosen else ''}", f"{trains:.2f}", f"{predicts:.1f}")
    if (peer := _PEERS.get((cfg.backbone.name, size))) is not None and "--no-peer" not in sys.argv:
        for precision, rate in measured_by_peer("training.py", peer, str(count)).items():
            table.add_row(f"torchvision, {precision}", f"{rate:.2f}", "")
    Console().print(table, why)


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word != "--no-peer"])
