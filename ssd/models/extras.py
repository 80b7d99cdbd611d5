"""The levels behind a backbone, each half as fine as the one before."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log2

import keras

from ssd.models import layers
from ssd.models.layers import pad, separable_conv


@dataclass(frozen=True)
class ExtraLevel:
    """One level behind the backbone: 1x1 convolution to `squeeze` filters, then kernel x kernel to `filters`."""

    squeeze: int
    filters: int
    kernel: int
    stride: int
    padding: int

    def cells(self, cells: int) -> int:
        """Side of the map that this level makes of a map with side `cells`."""
        return (cells + 2 * self.padding - self.kernel) // self.stride + 1


def _fits(cells: int, extras: Sequence[ExtraLevel]) -> bool:
    """Whether every extra level still has a map of at least one cell."""
    for extra in extras:
        cells = extra.cells(cells)
        if cells < 1:
            return False
    return True


def _fitting(cells: int, extras: Sequence[ExtraLevel]) -> list[ExtraLevel]:
    if _fits(cells, extras):
        return list(extras)
    return [ExtraLevel(extra.squeeze, extra.filters, kernel=3, stride=2, padding=1) for extra in extras]


def map_sides(cells: Sequence[int], extras: Sequence[ExtraLevel]) -> list[int]:
    """Sides of all maps, from those of the backbone's, without a network."""
    sides = list(cells)
    for extra in _fitting(sides[-1], extras):
        sides.append(extra.cells(sides[-1]))
    return sides


def extra_maps(
    features: keras.KerasTensor, extras: Sequence[ExtraLevel], separable: bool, batch_norm: bool
) -> list[keras.KerasTensor]:
    """The maps that follow the backbone's last one, (B, H, W, F) each.

    Where a map is too small for `extras`, all become 3x3 with stride 2 and padding 1, so that each gives a map.

    Args:
        features: the backbone's last map.
        extras: the levels.
        separable: SSDLite's depthwise separable convolutions, whose batch norms are always there.
        batch_norm: one behind each ordinary convolution too.
    """
    maps = []
    for index, extra in enumerate(_fitting(int(features.shape[1]), extras)):
        name = f"extra_{index}"
        features = _conv_relu(features, extra.squeeze, 1, 1, 0, False, f"{name}_squeeze", separable, batch_norm)
        features = _conv_relu(
            *(features, extra.filters, extra.kernel, extra.stride, extra.padding, separable, name),
            *(separable, batch_norm),
        )
        maps.append(features)
    return maps


def _conv_relu(
    features: keras.KerasTensor,
    filters: int,
    kernel: int,
    stride: int,
    padding: int,
    separable: bool,
    name: str,
    lite: bool,
    batch_norm: bool,
) -> keras.KerasTensor:
    """Convolution and ReLU, perhaps with batch norm between; with batch norm and ReLU6 in SSDLite (ssdlite.py)."""
    normalised = lite or batch_norm
    if separable:
        features = separable_conv(features, filters, kernel, stride, padding, not normalised, name)
    else:
        features = keras.layers.Conv2D(filters, kernel, strides=stride, use_bias=not normalised, name=name)(
            pad(features, padding, name)
        )
    if normalised:
        features = layers.batch_norm(f"{name}_bn")(features)
    return keras.layers.ReLU(6.0 if lite else None, name=f"{name}_relu")(features)


def strides(
    image_size: int, cells: Sequence[int], from_backbone: int, extras: Sequence[ExtraLevel]
) -> list[int | None]:
    """Pixels between cells where padded layers lead to a level (8, 16, 32, 64 in SSD300), None behind unpadded ones."""
    found: list[int | None] = [2 ** round(log2(image_size / side)) for side in cells[:from_backbone]]
    as_given = _fits(cells[from_backbone - 1], extras)
    for extra in extras:
        previous = found[-1]
        regular = as_given and extra.kernel == 3 and extra.padding == 1
        found.append(previous * extra.stride if previous and regular else None)
    return found
