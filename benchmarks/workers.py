"""How many images per second worker processes fill, one to one per core. It needs no TensorFlow.

    python benchmarks/workers.py path/of/a/voc/folder

The SSD recipe at 300 x 300 in batches of 8, nothing else on the machine: the better of two epochs after the first, from
JPEGs and from decoded images in memory; seconds until the first batch; cores that the process itself kept busy.
"""

import argparse
import time

import albumentations as alb
import cv2
import numpy as np

from ssd.cores import available_cores
from ssd.data.loader import Loader
from ssd.data.one_pass import OnePass
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.transforms.recipe import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.data.workers import make_workers

SIZE, BATCH = 300, 8
MOST_BOXES = 64


def measure(loader: Loader, workers: int, cache_bytes: int) -> str:
    """One line of the table."""
    images = np.concatenate([np.random.default_rng(epoch).permutation(len(loader.dataset)) for epoch in range(8)])
    batches = list(images[: len(images) // BATCH * BATCH].astype(np.int32).reshape(-1, BATCH))[: 20 * (workers + 1)]
    begin, busy, rates, first = time.perf_counter(), time.process_time(), [], 0.0
    filler = make_workers(loader, workers, BATCH, cache_bytes)
    for epoch in range(3):
        start = time.perf_counter()
        for _ in filler.filled(batches, epoch):
            first = first or time.perf_counter() - begin
        rates.append(BATCH * len(batches) / (time.perf_counter() - start))
    own = (time.process_time() - busy) / (time.perf_counter() - begin)
    return f"{max(rates[1:]):8.0f} images/s, the first after {first:.1f} s, {own:.2f} cores of its own"


def main() -> None:
    """Prints a line for each number of workers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="folder in VOC layout")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16])
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    dataset = voc_folder(arguments.path, "trainval", "test", class_names=None, val_fraction=0.2, seed=0).train
    recipe = [
        PhotometricDistort(),
        Expand(),
        MinIoUCrop(),
        RandomInterpolationResize(size=SIZE),
        alb.HorizontalFlip(p=0.5),
    ]
    loader = Loader(dataset, SIZE, MOST_BOXES, OnePass(recipe, SIZE), 0)
    for source, cache_bytes in (("JPEG", 0), ("memory", 2 * 10**9)):
        for workers in (count for count in arguments.workers if count <= available_cores()):
            print(f"{source:>6}, {workers:2} workers: {measure(loader, workers, cache_bytes)}", flush=True)


if __name__ == "__main__":
    main()
