"""How many images per second a detector is evaluated on, from JPEG files to metrics, and what limits it.

    python benchmarks/evaluation.py path/of/a/voc/folder

Two of torchvision's detectors with the same weights here and there, in each precision, in batches of 8: torchvision in
an environment of its own (`peer`), which `x` compares with, without metrics. The limits of the machine are this
project's network alone and its decoding of files alone. Then the metrics of sets as large as VOC 2007's and COCO's,
beside pycocotools. Nothing else may run. Ends with an error if a number of COCO's differs from pycocotools' in a bit.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import keras
import tensorflow as tf
from metrics import metrics_table
from network import seconds
from peer import measured_by_peer
from rich.console import Console
from rich.table import Table

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.data.pipeline import Batches
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Dataset
from ssd.evaluation.validation import validate
from ssd.experiment.build import build_detector
from ssd.inference.keras_network import KerasNetwork
from ssd.models.detector import SSD
from ssd.weights.reader import read_layout, read_weights
from ssd.weights.transfer import transfer

BATCH = 8
NETWORKS = {"ssdlite320_mobilenet_v3_large": 240, "ssd300_vgg16": 48}  # and how many images each sees
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def load(weights: str, policy: str) -> SSD:
    """torchvision's detector in a precision."""
    keras.config.set_dtype_policy(policy)
    overrides = ["backbone.weights=null", *read_layout(weights).overrides]
    (job,) = compose_jobs(overrides, multirun=False)
    read = read_weights(weights)
    model = build_detector(without_hydra(job), read.class_names)
    transfer(read, model)
    return model


def repeated(dataset: Dataset, count: int) -> Dataset:
    """Its first images, again and again where it has fewer, with no more classes than the detectors know."""
    rows = [index % len(dataset) for index in range(count)]
    annotations = [dataset.annotations[row] for row in rows]
    return replace(dataset, annotations=annotations, read=lambda index: dataset.read(rows[index]))


def batches_of(dataset: Dataset, size: int) -> Batches:
    """For one pass: nothing is kept."""
    return Batches(
        dataset,
        image_size=size,
        batch_size=BATCH,
        augmentation=None,
        shuffle=False,
        seed=0,
        workers=None,
        cache_gb=0.0,
        drop_remainder=False,
    )


def evaluating(batches: Batches, network: KerasNetwork) -> float:
    """Images per second from files to metrics."""
    start = time.perf_counter()
    validate(network, batches, score_threshold=0.5)
    return len(batches.dataset) / (time.perf_counter() - start)


def decoding(batches: Batches) -> float:
    """Images per second of files alone: read, decoded, resized."""
    start = time.perf_counter()
    images = sum(len(batch["index"]) for batch in batches.epoch(0))
    return images / (time.perf_counter() - start)


def rows(network: str, dataset: Dataset, count: int) -> Iterator[tuple[str, ...]]:
    """One per precision; torchvision runs first and leaves the weights."""
    with tempfile.TemporaryDirectory() as folder:
        weights = f"{folder}/weights.pth"
        theirs = measured_by_peer("evaluation.py", network, files_of(dataset), str(BATCH), str(count), weights)
        for precision, policy in PRECISIONS.items():
            model = load(f"torchvision:{weights}", policy)
            batches = batches_of(replace(repeated(dataset, count), class_names=model.class_names), model.image_size)
            ours = KerasNetwork(model)
            images = tf.zeros((BATCH, model.image_size, model.image_size, 3), tf.uint8)
            ours.decode(ours.outputs(images))  # compiles
            whole, peer = evaluating(batches, ours), theirs[precision]
            network_alone = BATCH / seconds(partial(ours.outputs, images))
            yield (
                network,
                precision,
                f"{whole:.1f}",
                f"{peer:.1f}",
                f"{whole / peer:.2f}",
                f"{network_alone:.1f}",
                f"{decoding(batches):.0f}",
            )


def files_of(dataset: Dataset) -> str:
    """The folder of its images."""
    return str(Path(dataset.where(0)).parent)


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="folder in VOC layout")
    dataset = voc_folder(parser.parse_args().path, "trainval", "test", class_names=None, val_fraction=0.2, seed=0).train
    columns = ("", "precision", "evaluates", "torchvision", "x", "network alone", "files alone")
    table = Table(*columns, title=f"images per second, batches of {BATCH}")
    for network, count in NETWORKS.items():
        for row in rows(network, dataset, count):
            table.add_row(*row)
    Console().print(table)
    Console().print(metrics_table())


if __name__ == "__main__":
    main()
