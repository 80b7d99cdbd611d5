"""How many images per second the detectors train on, beside torchvision's and the machine's limit.

    python benchmarks/training.py                 # all three, ten minutes on two cores
    python benchmarks/training.py mobilenet_v2 --no-peer

Random weights and images, batch 8, 8 objects an image, nothing else on the machine. The kinds of step take turns; shown
is the median of `TURNS`. "Keras" is the same network with Keras' own layers and optimizer. The limit is TensorFlow's
rate at a large convolution, forwards; its share is three times the network's arithmetic forwards, for a step, against
that. torchvision runs in an environment of its own (`peer`); its SSDLite is the same network.
"""

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from unittest.mock import patch

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import tensorflow as tf
from network import CLASSES, random_batch
from omegaconf import DictConfig
from peer import measured_by_peer
from rich.console import Console
from rich.table import Table

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.device import has_gpu
from ssd.experiment.build import build_detector, build_loss, build_optimizer, build_target_encoder
from ssd.inference.cost import measure_cost
from ssd.models.layers import BatchNorm
from ssd.training.step import make_train_step

TURNS = 5
DETECTORS = {
    "vgg16": ["detector=ssd300"],
    "mobilenet_v2": ["detector=ssd300"],
    "mobilenet_v3_large": ["detector=ssdlite320", "backbone.reduced_tail=true", "backbone.symmetric_padding=true"],
}
PEERS = {"vgg16": "ssd300_vgg16", "mobilenet_v3_large": "ssdlite320_mobilenet_v3_large"}
KERAS = "Keras, float32"
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
Step = Callable[[], object]


def make_step(cfg: DictConfig, policy: str) -> tuple[Step, float]:
    """A step, compiled, and GFLOP of one image forwards."""
    keras.config.set_dtype_policy(policy)
    model = build_detector(cfg, CLASSES)
    optimizer = build_optimizer(cfg, model, steps_per_epoch=1000)
    step = make_train_step(model, optimizer, build_target_encoder(cfg, model), build_loss(cfg), jit_compile=has_gpu())
    batch = random_batch(model.image_size, cfg.training.batch_size)
    for _ in range(2):
        float(step(batch).total)
    return lambda: float(step(batch).total), measure_cost(model).gflops


def make_keras_step(cfg: DictConfig) -> Step:
    """The step without what this project does beside Keras."""
    with (
        patch.object(BatchNorm, "call", keras.layers.BatchNormalization.call),
        patch("ssd.training.step.TrainingNetwork", lambda model: partial(model, training=True)),
        patch("ssd.experiment.build.fused", lambda optimizer: optimizer),
    ):
        return make_step(cfg, "float32")[0]


def in_turns(actions: dict[str, Step]) -> dict[str, float]:
    """The median of each action's seconds."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(TURNS):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - start)
    return {name: median(found) for name, found in times.items()}


def limits() -> dict[str, float]:
    """GFLOP/s of a convolution that is large enough for the machine's best, by name of its type."""
    found = {}
    for kind in (tf.float32, tf.bfloat16):
        images, kernel = tf.ones((8, 38, 38, 512), kind), tf.ones((3, 3, 512, 512), kind)
        convolve = tf.function(partial(tf.nn.conv2d, images, kernel, 1, "SAME"), autograph=False)
        convolve()
        gflop = 2 * 9 * 512 * 512 * 8 * 38 * 38 / 1e9
        found[kind.name] = gflop / in_turns({"": convolve})[""]
    return found


def rows(backbone: str, limit: dict[str, float]) -> list[tuple[str, float, str]]:
    """What is measured of one detector: kind of step, images per second, share of the limit."""
    (job,) = compose_jobs([f"backbone={backbone}", "backbone.weights=null", *DETECTORS[backbone]], multirun=False)
    cfg = without_hydra(job)
    count = cfg.training.batch_size
    made = {kind: make_step(cfg, policy) for kind, policy in POLICIES.items()}
    seconds = in_turns({KERAS: make_keras_step(cfg)} | {kind: step for kind, (step, _) in made.items()})
    found = [(KERAS, count / seconds[KERAS], "")]
    for kind, (_, gflop) in made.items():
        rate = count / seconds[kind]
        found.append((kind, rate, f"{3 * gflop * rate / limit[kind]:.0%}"))
    if backbone in PEERS and "--no-peer" not in sys.argv:
        peer = measured_by_peer("training.py", PEERS[backbone], str(count))
        found += [(f"torchvision, {kind}", rate, "") for kind, rate in peer.items()]
    return found


def main(backbones: list[str]) -> None:
    """Prints the table."""
    limit = limits()
    table = Table(title=", ".join(f"{kind} at most {rate:.0f} GFLOP/s" for kind, rate in limit.items()))
    for name in ("detector", "step", "images/s", "share of the limit", "times Keras", "times torchvision's best"):
        table.add_column(name, justify="left" if name in ("detector", "step") else "right")
    for backbone in backbones or DETECTORS:
        measured = rows(backbone, limit)
        peers = [rate for kind, rate, _ in measured if kind.startswith("torchvision")]
        for kind, rate, share in measured:
            against = f"{rate / max(peers):.2f}" if peers else ""
            table.add_row(backbone, kind, f"{rate:.2f}", share, f"{rate / measured[0][1]:.2f}", against)
    Console(width=130).print(table)


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word != "--no-peer"])
