"""Where the time of a training step goes.

    python benchmarks/profile_step.py backbone=mobilenet_v2
    python benchmarks/profile_step.py backbone=vgg16 detector=ssd300 training.batch_size=4

Takes the overrides of run.py. Random weights and images, so that nothing waits for data: that share is in results.csv
of a real training (`train/waiting`). Durations of TensorFlow's operations, as its profiler has them, added up over its
threads; operations that run side by side count each. Run it with nothing else on the machine.
"""

import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import tensorflow as tf
from network import random_batch
from rich.console import Console
from rich.table import Table
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.device import choose_precision, has_gpu
from ssd.experiment.build import build_detector, build_loss, build_optimizer, build_target_encoder
from ssd.training.step import make_train_step

CLASSES = tuple(f"class {k}" for k in range(20))
STEPS = 5
# The first that matches an operation's scope and type, `gradient_tape/ssd/conv1/Conv2D:_MklNativeConv2D`.
KINDS = {
    "matching": r"(^|/)matching/|divide\w*fusion",
    "mining": r"/mining/",
    "loss": r"(^|/)loss/",
    "optimizer": r"(^|/)optimizer/",
    "depthwise convolution, backwards": r"Depthwise\w*Backprop",
    "depthwise convolution": r"Depthwise",
    "convolution, backwards": r"Conv2D\w*Backprop|Conv\w*Backprop",
    "convolution": r"Conv2D|MatMul",
    "batch norm, backwards": r"BatchNorm\w*Grad|gradient_tape/.*(_bn|batch_norm)",
    "batch norm": r"BatchNorm|_bn|batch_norm",
    "activation, backwards": r"Relu6?Grad|gradient_tape/.*(relu|hard_s)",
    "activation": r"Relu|relu|hard_s",
    "loops of XLA (activations, batch norms)": r"_fusion$",
    "casts": r":_?(Mkl)?Cast",
    "pads, adds, pools, reshapes and others": r":",
}
NO_OPERATION = re.compile(r"^(ExecutorState|ThreadpoolListener|Memory|ExecutorDone|Eager|TFE_|Kernel|Function|process)")


def kind_of(event: str) -> str | None:
    """Of an event in a trace; None for what is no operation."""
    if NO_OPERATION.match(event) or "::" in event or event.startswith("end: "):
        return None
    if ":" not in event and not event.endswith("_fusion"):
        return None
    return next(kind for kind, pattern in KINDS.items() if re.search(pattern, event))


def operations(folder: Path) -> Counter[str]:
    """Milliseconds by kind, from a profile."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(next(folder.rglob("*.xplane.pb")).read_bytes())
    spent: Counter[str] = Counter()
    for plane in space.planes:
        names = {key: value.name for key, value in plane.event_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                if (kind := kind_of(names[event.metadata_id])) is not None:
                    spent[kind] += event.duration_ps / 1e9  # type: ignore[assignment]
    return spent


def main(overrides: Sequence[str]) -> None:
    """Prints the table."""
    (job,) = compose_jobs(["backbone.weights=null", *overrides], multirun=False)
    cfg = without_hydra(job)
    policy, _ = choose_precision(cfg.precision.name, build_detector(cfg, CLASSES))
    keras.config.set_dtype_policy(policy)
    model = build_detector(cfg, CLASSES)
    optimizer = build_optimizer(cfg, model, steps_per_epoch=1000)
    step = make_train_step(model, optimizer, build_target_encoder(cfg, model), build_loss(cfg), jit_compile=has_gpu())
    batch = random_batch(model.image_size, cfg.training.batch_size)
    for _ in range(2):
        step(batch)
    start = time.perf_counter()
    for _ in range(STEPS):
        float(step(batch).total)
    wall = (time.perf_counter() - start) / STEPS * 1e3
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(STEPS):
            step(batch)
        tf.profiler.experimental.stop()
        spent = operations(Path(folder))
    total = sum(spent.values())
    table = Table(title=f"{cfg.backbone.name} {cfg.detector.name}, batch {cfg.training.batch_size}, {policy}")
    for name in ("operations", "ms a step", "share"):
        table.add_column(name, justify="left" if name == "operations" else "right")
    for kind in KINDS:
        table.add_row(kind, f"{spent[kind] / STEPS:.1f}", f"{spent[kind] / total:.1%}")
    Console().print(table, f"a step takes {wall:.0f} ms, {cfg.training.batch_size / wall * 1e3:.2f} images/s")


if __name__ == "__main__":
    main(sys.argv[1:])
