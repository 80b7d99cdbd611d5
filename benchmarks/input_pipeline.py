"""How many images per second the input pipeline gives, beside the decoder alone as its limit.

    python benchmarks/input_pipeline.py path/of/a/voc/folder

Reads the folder's training split and runs the SSD augmentation at 300 x 300 in batches of 8, nothing else on the
machine: medians of the epochs after the first, with images decoded each time, and with decoded images in memory.
torchvision decodes and augments the same files with its reference preset in an environment of its own (`peer`), and is
what `x` compares with.
"""

import argparse
import statistics
import time

import ssd  # noqa: F401  (before TensorFlow: its settings)

# isort: split
import albumentations as alb
from peer import measured_by_peer
from rich.console import Console
from rich.table import Table

from ssd.data.augmentation import Augmentation
from ssd.data.one_pass import OnePass
from ssd.data.pipeline import Batches
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Dataset
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize

SIZE = 300
BATCH = 8


def recipe() -> list[alb.BasicTransform]:
    """The transforms of conf/augmentation/ssd.yaml."""
    return [
        PhotometricDistort(),
        Expand(),
        MinIoUCrop(),
        RandomInterpolationResize(size=SIZE),
        alb.HorizontalFlip(p=0.5),
    ]


def decoding(dataset: Dataset) -> float:
    """Images per second of reading and decoding alone, in one thread."""
    begin = time.perf_counter()
    for index in range(len(dataset)):
        dataset[index]
    return len(dataset) / (time.perf_counter() - begin)


def rate(batches: Batches, epochs: int) -> float:
    """Images per second with nobody using the images: the median of some epochs after the first."""
    rates = []
    for epoch in range(epochs + 1):
        begin = time.perf_counter()
        images = sum(len(batch["index"]) for batch in batches.epoch(epoch))
        rates.append(images / (time.perf_counter() - begin))
    return statistics.median(rates[1:])


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="folder in VOC layout")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--no-peer", action="store_true", help="leave torchvision out, which is installed for it")
    arguments = parser.parse_args()
    dataset = voc_folder(arguments.path, "trainval", "test", class_names=None, val_fraction=0.2, seed=0).train

    words = (arguments.path, *map(str, arguments.workers))
    peer = {} if arguments.no_peer else measured_by_peer("input_pipeline.py", *words)
    table = Table("augmentation", "workers", "from JPEG", "from memory", title="images per second")
    table.add_row("decoding alone", "1", f"{decoding(dataset):.0f}", "")
    for workers, theirs in peer.items():
        table.add_row("torchvision's ssd", workers, f"{theirs:.0f}", "")
    for name, augmentation in (
        ("none", None),
        ("ssd, step by step", Augmentation(recipe())),
        ("ssd", OnePass(recipe(), SIZE)),
    ):
        for workers in arguments.workers:
            shown = []
            for cache_gb in (0.0, 2.0):
                batches = Batches(
                    dataset,
                    image_size=SIZE,
                    batch_size=BATCH,
                    augmentation=augmentation,
                    shuffle=True,
                    seed=0,
                    workers=workers,
                    cache_gb=cache_gb,
                    drop_remainder=True,
                )
                ours, theirs = rate(batches, arguments.epochs), peer.get(str(workers)) if augmentation else None
                shown.append(f"{ours:.0f}" + (f" ({ours / theirs:.1f} x)" if theirs else ""))
            table.add_row(name, str(workers), *shown)
    Console().print(table)


if __name__ == "__main__":
    main()
