"""Priors (default boxes): their sizes, shapes and places (SSD paper, section 2.2; Caffe's prior_box_layer.cpp)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PriorLevel:
    """The priors of one square feature map.

    Attributes:
        cells: cells per side of the map.
        step: distance between neighbouring centres, as a fraction of the image.
        scale: the level's minimum prior size, as a fraction of the image.
        next_scale: the next level's minimum size (or the tail).
        aspect_ratios: width / height without 1; the reciprocals are added.
    """

    cells: int
    step: float
    scale: float
    next_scale: float
    aspect_ratios: tuple[float, ...]

    @property
    def shapes(self) -> list[tuple[float, float]]:
        """(height, width) of the priors in one cell: s, sqrt(s·s'), then r and 1/r for each aspect ratio."""
        between = sqrt(self.scale * self.next_scale)
        shapes = [(self.scale, self.scale), (between, between)]
        for ratio in self.aspect_ratios:
            root = sqrt(ratio)
            shapes += [(self.scale / root, self.scale * root), (self.scale * root, self.scale / root)]
        return shapes

    def boxes(self) -> NDArray[np.float64]:
        """(cells · cells · A, 4) cy, cx, height, width, row by row, A shapes in each cell."""
        centers = (np.arange(self.cells) + 0.5) * self.step
        cy, cx = np.meshgrid(centers, centers, indexing="ij")
        places = np.stack([cy, cx], axis=-1).reshape(-1, 1, 2)
        sizes = np.asarray(self.shapes).reshape(1, -1, 2)
        count = (len(places), sizes.shape[1], 2)
        return np.concatenate([np.broadcast_to(places, count), np.broadcast_to(sizes, count)], axis=-1).reshape(-1, 4)


def build_priors(levels: Sequence[PriorLevel], clip: bool) -> NDArray[np.float32]:
    """All priors of a detector, level by level.

    Args:
        levels: from the finest map to the coarsest.
        clip: limit height and width to the image, as torchvision does; centres stay (clipping corners would move them).

    Returns:
        (P, 4) float32 cy, cx, height, width as fractions of the image.
    """
    priors = np.concatenate([level.boxes() for level in levels])
    if clip:
        priors[:, 2:] = np.minimum(priors[:, 2:], 1.0)
    return priors.astype(np.float32)
