"""Sizes of objects as the network sees them, and the priors among them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ssd.figures.style import dress, hex_colours, save

_MOST = 5000  # objects that are drawn
_LEAST = 2.0  # pixels; smaller objects lie on the edge
_QUIET, _LOUD = "0.72", hex_colours(2)[1]


def prior_shapes(
    boxes: NDArray[np.floating],
    reached: NDArray[np.bool_],
    shapes: Sequence[Sequence[tuple[float, float]]],
    image_size: int,
    path: Path,
) -> None:
    """Writes a PNG: a point for each object at its width and height, a mark for each shape of a prior.

    Args:
        boxes: (N, 4) normalised ymin, xmin, ymax, xmax; of very many some are drawn.
        reached: (N,) whether a prior overlaps the object enough.
        shapes: (height, width) of each level's priors, as fractions of the image.
        image_size: side in pixels of the network's images.
        path: of the PNG.
    """
    rows = np.linspace(0, len(boxes) - 1, min(len(boxes), _MOST)).astype(int)
    heights, widths = np.maximum((boxes[rows, 2:] - boxes[rows, :2]) * image_size, _LEAST).T
    largest = max(image_size, max(max(shape) for own in shapes for shape in own) * image_size)
    figure = Figure(figsize=(8.4, 6.2), layout="constrained")
    sides = (f"width, in pixels of {image_size}", f"height, in pixels of {image_size}")
    axes = dress(figure.add_subplot(), *sides, "Objects and priors")
    axes.set(xscale="log", yscale="log", xlim=(_LEAST * 0.9, largest * 1.15), ylim=(_LEAST * 0.9, largest * 1.15))
    ticks = 2.0 ** np.arange(np.log2(_LEAST), np.floor(np.log2(largest)) + 1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.set_minor_locator(NullLocator())
    for of_it, colour, label in ((reached, _QUIET, "reached"), (~reached, _LOUD, "reached by no prior")):
        own, name = of_it[rows], f"objects {label} ({of_it.mean():.0%})"
        axes.scatter(widths[own], heights[own], s=7, color=colour, alpha=0.6, linewidths=0, label=name)
    colours = [colour for colour in hex_colours(len(shapes) + 1) if colour != _LOUD]
    for number, (own_shapes, colour) in enumerate(zip(shapes, colours, strict=False), start=1):
        high, wide = (np.asarray(own_shapes) * image_size).T
        axes.scatter(wide, high, s=90, marker="+", color=colour, linewidths=2.2, label=f"priors of level {number}")
    figure.legend(loc="outside right upper", frameon=False, fontsize=9, markerscale=1.2)
    save(figure, path)
