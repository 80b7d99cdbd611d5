"""What int8 takes from the images of a training split: ranges, and weights that are rounded for them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.data.rows import take
from ssd.data.sample import Dataset
from ssd.export.rounding import rounded_weights
from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD


@dataclass(frozen=True)
class Calibration:
    """Of one detector.

    Attributes:
        images: (1, S, S, 3) uint8 each.
        weights: of its folded network, see `rounded_weights`.
    """

    images: Sequence[NDArray[np.uint8]]
    weights: list[NDArray[np.float32]]


def calibrate(model: SSD, images: Sequence[NDArray[np.uint8]]) -> Calibration:
    """Of a detector and images (1, S, S, 3)."""
    return Calibration(images, rounded_weights(FoldedNetwork(model, "float32"), images))


def calibration_set(dataset: Dataset, images: int, seed: int) -> Dataset:
    """So many images of a training split, or all where it has fewer; which ones follows from the seed alone."""
    rows = np.random.default_rng(seed).permutation(len(dataset))[:images]
    return take(dataset, sorted(rows.tolist()))
