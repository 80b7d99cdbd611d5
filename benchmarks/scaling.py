"""How far a training would scale, on paper: bytes, all-reduce and input rate of the real networks on up to 64 GPUs.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --teraflops 100 10 --images 16 --links 300 25

No GPU is used: parameters, batch norms and arithmetic are counted on the networks of three experiments, the ring is
computed and simulated, and what a GPU, a link and a core do is assumed (`--help`). A table in Markdown.
"""

import argparse
from dataclasses import dataclass
from math import prod

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import numpy as np

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.experiment.build import build_detector
from ssd.inference.cost import measure_cost
from ssd.training.synchronized import batch_statistics

EXPERIMENTS = (
    "voc0712_ssd300_vgg16",
    "voc0712_ssd300_mobilenet_v2",
    "coco2017_ssdlite320_mobilenet_v3_large",
)
DEVICES = (1, 2, 8, 16, 32, 64)
PER_MACHINE = 8  # GPUs
HOP = (10e-6, 30e-6)  # seconds from one GPU to the next, in a machine and between machines
SPREAD = 0.03  # standard deviation of the logarithm of a step's time on one GPU
STEPS = 200  # that are simulated
CORES, INPUT = 16, 3440  # measured: images/s that 16 cores decode and augment (docs/measurements.md, Input)


@dataclass(frozen=True)
class Network:
    """What of a network a step moves and computes.

    Attributes:
        name: of its experiment.
        gradients: bytes of the gradients of a step, float32 in each precision.
        statistics: bytes of moving statistics, which are averaged where batch norms are not synchronised.
        batch_norms: layers that learn.
        gflops: of a forward pass, for one image.
        depthwise: whether it has depthwise convolutions, which no GPU computes near its peak.
    """

    name: str
    gradients: int
    statistics: int
    batch_norms: int
    gflops: float
    depthwise: bool


def count(experiment: str) -> Network:
    """Builds the experiment's network with random weights, and counts."""
    overrides = [f"experiment={experiment}", "backbone.weights=null"]
    cfg = without_hydra(compose_jobs(overrides, multirun=False)[0])
    model = build_detector(cfg, tuple(f"class {k}" for k in range(80 if "coco" in experiment else 20)))
    statistics = batch_statistics(model)
    return Network(
        experiment,
        sum(4 * prod(variable.shape) for variable in model.trainable_variables),
        sum(4 * prod(variable.shape) for variable in statistics),
        len(statistics) // 2,
        measure_cost(model).gflops,
        any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in model.layers),
    )


def ring_seconds(devices: int, size: float, bandwidth: float, hop: float) -> float:
    """Of an all-reduce: 2(N - 1) hops, each of S / N bytes (Patarasuk and Yuan, J. Parallel Distrib. Comput. 69, 2009).

    Args:
        devices: N.
        size: S, bytes.
        bandwidth: bytes per second of the slowest link, in one direction.
        hop: seconds until the first byte of a hop is there.
    """
    return 2 * (devices - 1) * (size / devices / bandwidth + hop)


def simulated_seconds(compute: np.ndarray, size: float, bandwidths: np.ndarray, hops: np.ndarray) -> float:
    """Of a step: each GPU starts the ring when its own gradients are there, and passes a part on once it has it.

    Args:
        compute: (N,) seconds of each GPU's forward and backward.
        size: bytes of the gradients.
        bandwidths, hops: (N,) of the link from each GPU to the next.
    """
    ready, free = compute, compute  # when each GPU has the part to pass on, and its link has passed on the one before
    for _ in range(2 * (len(compute) - 1)):
        free = np.maximum(ready, free) + size / len(compute) / bandwidths
        ready = np.maximum(ready, np.roll(free + hops, 1))
    return float(ready.max())


def simulate(devices: int, compute: float, size: float, links: tuple[float, float]) -> float:
    """Mean seconds of a step on GPUs whose times differ by chance, of which every eighth link leaves its machine."""
    random = np.random.default_rng(0)
    leaves = (np.arange(devices) % PER_MACHINE == PER_MACHINE - 1) & (devices > PER_MACHINE)
    bandwidths, hops = (np.where(leaves, outer, inner) for inner, outer in (links, HOP))
    times = compute * np.exp(random.normal(0.0, SPREAD, (STEPS, devices)))
    return float(np.mean([simulated_seconds(row, size, bandwidths, hops) for row in times]))


def main(teraflops: tuple[float, float], images: int, links: tuple[float, float]) -> None:
    """Prints a table for each network."""
    np.testing.assert_allclose(  # the simulation is the formula where nothing differs
        simulated_seconds(np.zeros(8), 1e8, np.full(8, 1e10), np.full(8, 1e-5)), ring_seconds(8, 1e8, 1e10, 1e-5)
    )
    for network in map(count, EXPERIMENTS):
        rate = 1e12 * teraflops[network.depthwise] / (3e9 * network.gflops)  # backward takes twice as long as forward
        compute, size = images / rate, network.gradients + network.statistics
        print(
            f"\n{network.name}: {network.gradients / 1e6:.1f} MB of gradients, {network.batch_norms} batch norms that "
            f"learn ({network.statistics / 1e6:.2f} MB), {3 * network.gflops:.1f} GFLOP an image; assumed "
            f"{rate:.0f} images/s on a GPU, {1000 * compute:.1f} ms for {images}\n"
        )
        print(
            "| GPUs | batch | sent by each, MB | ring, ms | step, ms | images/s | of ideal | synchronised, ms | cores |"
        )
        print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
        for devices in DEVICES:
            outside = devices > PER_MACHINE
            ring = ring_seconds(devices, size, links[outside], HOP[outside])
            step = simulate(devices, compute, size, links)
            # forward and backward of each batch norm wait for a ring of a few hundred bytes
            waits = 2 * network.batch_norms * ring_seconds(devices, 0, links[outside], HOP[outside])
            sent = 2 * (devices - 1) / devices * size / 1e6
            cores = CORES / INPUT * min(devices, PER_MACHINE) * images / step
            print(
                f"| {devices} | {devices * images} | {sent:.0f} | {1000 * ring:.2f} | {1000 * step:.1f} | "
                f"{devices * images / step:.0f} | {compute / step:.0%} | {1000 * waits:.1f} | {cores:.0f} |"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reached, links = "reached: ordinary and depthwise networks", "10^9 bytes/s: in a machine, between machines"
    parser.add_argument("--teraflops", type=float, nargs=2, default=(50.0, 5.0), help=reached)
    parser.add_argument("--images", type=int, default=8, help="of a GPU's share of a batch")
    parser.add_argument("--links", type=float, nargs=2, default=(200.0, 12.5), help=links)
    given = parser.parse_args()
    (ordinary, depthwise), (inner, outer) = given.teraflops, given.links
    main((ordinary, depthwise), given.images, (1e9 * inner, 1e9 * outer))
