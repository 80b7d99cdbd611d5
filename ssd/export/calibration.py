"""The images that int8 takes its ranges from."""

import numpy as np

from ssd.data.rows import take
from ssd.data.sample import Dataset


def calibration_set(dataset: Dataset, images: int, seed: int) -> Dataset:
    """So many images of a training split, or all where it has fewer; which ones follows from the seed alone."""
    rows = np.random.default_rng(seed).permutation(len(dataset))[:images]
    return take(dataset, sorted(rows.tolist()))
