"""Sizes and shapes of the boxes of several splits, as the network sees them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ssd.figures.style import dress, hex_colours, nothing, save
from ssd.figures.text import plain

_BINS = 32


def box_shapes(
    boxes: Mapping[str, NDArray[np.float32]], ratios: Mapping[str, NDArray[np.float64]], image_size: int, path: Path
) -> None:
    """Writes two histograms as a PNG: sizes and aspect ratios of the boxes, as shares of each split.

    Args:
        boxes: split → (N, 4) normalised ymin, xmin, ymax, xmax.
        ratios: split → (N,) width over height in the image's own pixels.
        image_size: side in pixels of the square that the network sees.
        path: of the PNG.
    """
    figure = Figure(figsize=(13, 3.6), layout="constrained")
    sizes = {split: np.sqrt((part[:, 2:] - part[:, :2]).prod(axis=1)) * image_size for split, part in boxes.items()}
    axes = dress(
        figure.add_subplot(1, 2, 1), f"root of the area, in pixels of {image_size}", "share of the boxes", "Sizes"
    )
    _histograms(axes, sizes, np.geomspace(1, image_size, _BINS + 1))
    axes = dress(figure.add_subplot(1, 2, 2), "width / height", "share of the boxes", "Shapes")
    _histograms(axes, ratios, np.geomspace(1 / 8, 8, _BINS + 1))
    save(figure, path)


def _histograms(axes: Axes, values: Mapping[str, NDArray[np.floating]], edges: NDArray[np.float64]) -> None:
    """Steps of each split over logarithmic bins; what lies outside is in the first or the last."""
    axes.set_xscale("log", base=2)
    ticks = 2.0 ** np.arange(np.ceil(np.log2(edges[0])), np.floor(np.log2(edges[-1])) + 1)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    if not any(len(part) for part in values.values()):
        return nothing(axes, "no objects")
    for (split, part), colour in zip(values.items(), hex_colours(len(values)), strict=True):
        counts = np.histogram(np.clip(part, edges[0], edges[-1] * (1 - 1e-9)), edges)[0] / max(len(part), 1)
        axes.stairs(counts, edges, color=colour, linewidth=1.6, label=f"{plain(split)} ({len(part):,})")
    axes.legend(frameon=False, fontsize=9)
    return None
