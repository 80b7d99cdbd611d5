"""Charts of one evaluation and of a data set, each written as a PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssd.data.annotations import Annotation, Annotations
from ssd.evaluation.evaluate import Curve
from ssd.figures.style import FEW, GREY, colour_bar, dress, hex_colours, nothing, save
from ssd.figures.text import plain

(_BLUE,) = hex_colours(1)


def pr_curves(curves: Sequence[Curve], path: Path) -> None:
    """Writes precision over recall at IoU 0.5: one curve per class with its AP, and the mean of their envelopes.

    With more than ten classes only the five best and the five worst are coloured and named.
    """
    figure = Figure(figsize=(8.6, 5.2), layout="constrained")
    axes = dress(figure.add_subplot(), "recall", "precision", "Precision and recall, IoU 0.5")
    axes.set(xlim=(0, 1), ylim=(0, 1.03))
    by_ap = sorted(curves, key=lambda curve: -curve.ap50)
    named = by_ap if len(by_ap) <= FEW else by_ap[:5] + by_ap[-5:]
    colours = {curve.name: colour for curve, colour in zip(named, hex_colours(len(named)), strict=True)}
    grid = np.linspace(0, 1, 501)
    for curve in reversed(by_ap):
        recall, precision = _steps(curve)
        if curve.name in colours:
            colour = colours[curve.name]
            # the number first, as matplotlib leaves out labels that begin with an underscore
            label = f"{curve.ap50:.3f}  {plain(curve.name)}"
            axes.plot(recall, precision, color=colour, linewidth=1.4, label=label, zorder=3)
        else:
            axes.plot(recall, precision, color="0.8", linewidth=0.7)
    if by_ap:
        average = np.mean([_envelope(curve, grid) for curve in by_ap], axis=0)
        label = f"{np.mean([curve.ap50 for curve in by_ap]):.3f}  mean of {len(by_ap)}"
        axes.plot(grid, average, color="black", linewidth=2.4, label=label, zorder=4)
        handles, labels = axes.get_legend_handles_labels()
        title = "AP50" if len(by_ap) <= FEW else "AP50, best and worst five"
        axes.legend(handles[::-1], labels[::-1], title=title, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    else:
        nothing(axes, "no objects to find")
    save(figure, path)


def label_statistics(annotations: Sequence[Annotation], class_names: Sequence[str], path: Path) -> None:
    """Writes what is annotated: objects per class, per image, their sizes and where they are.

    Sizes and places are parts of the image. Difficult objects are counted, crowds, which are never trained on, are not.
    """
    columns = Annotations.of(annotations)
    keep = ~columns.crowd
    labels, boxes = columns.labels[keep], columns.boxes[keep].astype(np.float64)
    per_image = np.bincount(columns.images[keep], minlength=len(columns))
    figure = Figure(figsize=(13, 8.2), layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.08))
    places = figure.add_gridspec(2, 3)
    title = f"Objects per class: {len(labels):,} objects in {len(annotations):,} images"
    _class_bars(figure.add_subplot(places[0, :]), np.bincount(labels, minlength=len(class_names)), class_names, title)
    _per_image(figure.add_subplot(places[1, 0]), per_image)
    sizes, centres = boxes[:, 2:] - boxes[:, :2], (boxes[:, 2:] + boxes[:, :2]) / 2
    _heat_map(figure, figure.add_subplot(places[1, 1]), sizes, ("box width", "box height"), "Sizes")
    axes = figure.add_subplot(places[1, 2])
    _heat_map(figure, axes, centres, ("box centre, x", "box centre, y"), "Places")
    axes.invert_yaxis()
    save(figure, path)


def _class_bars(axes: Axes, counts: NDArray[np.int64], class_names: Sequence[str], title: str) -> None:
    dress(axes, "", "objects", title)
    names = [plain(name) for name in class_names]
    crowded = len(counts) > 12 or sum(map(len, names)) > 140
    size = 8.5 if len(counts) <= 40 else 7
    bars = axes.bar(range(len(counts)), counts, color=_BLUE, width=min(0.8, 0.08 * len(counts) + 0.1))
    figures = [f"{count:,}" if count else "" for count in counts]
    axes.bar_label(bars, figures, padding=3, fontsize=size, color=GREY, rotation=90 if crowded else 0)
    axes.set_xticks(range(len(counts)), names, fontsize=size, rotation=90 if crowded else 0)
    axes.set_xlim(-0.7, len(counts) - 0.3)
    axes.set_ylim(0, max(counts.max(initial=0), 1) * 1.18)  # room for the figures
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(visible=False, axis="x")


def _per_image(axes: Axes, counts: NDArray[np.int64]) -> None:
    dress(axes, "objects in an image", "images", "Objects per image")
    if not len(counts):
        return nothing(axes, "no images")
    width = max(1, int(np.ceil((counts.max() + 1) / 40)))  # whole objects per bar, 40 bars at most
    axes.hist(counts, bins=(np.arange(0, counts.max() + width + 1, width) - 0.5).tolist(), color=_BLUE, rwidth=0.9)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=False, axis="x")
    return None


def _heat_map(figure: Figure, axes: Axes, points: NDArray[np.float64], names: tuple[str, str], title: str) -> None:
    """Counts (y, x) points on a 40 x 40 grid of the unit square; on a logarithmic scale, so that rare ones show."""
    dress(axes, names[0], names[1], title)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.grid(visible=False)
    counts = np.histogram2d(points[:, 0], points[:, 1], bins=40, range=((0, 1), (0, 1)))[0]
    if not counts.any():
        return nothing(axes, "no objects")
    norm, edges = LogNorm(1, max(counts.max(), 10)), np.linspace(0, 1, 41)
    mesh = axes.pcolormesh(edges, edges, np.ma.masked_equal(counts, 0), norm=norm, cmap="viridis_r")
    return colour_bar(figure, mesh, axes.inset_axes((1.04, 0, 0.05, 1)), "objects")


def _steps(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve from recall 0 on, and straight down where the last detection ends it."""
    if not len(curve.recall):
        return np.zeros(2), np.zeros(2)
    recall = np.concatenate([[0.0], curve.recall, [curve.recall[-1]]])
    return recall, np.concatenate([curve.precision[:1], curve.precision, [0.0]])


def _envelope(curve: Curve, grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best precision at each recall of the grid or above, as the average precision counts it."""
    best = np.maximum.accumulate(curve.precision[::-1])[::-1]
    return np.append(best, 0.0)[np.searchsorted(curve.recall, grid)]
