"""The picture of a training's diagnostics: what steps do to each layer, epoch by epoch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssd.figures.style import dress, hex_colours, nothing, save
from ssd.figures.text import plain

_BLUE, _RED = hex_colours(2)
_MAPS = (
    ("update_ratio", "|update| / |weight| of a step", LogNorm(1e-6, 1e-1)),
    ("gradient_norm", "Norm of the gradient", LogNorm(1e-4, 1e2)),
    ("dead", "Share of dead channels", Normalize(0, 1)),
)


def draw_diagnostics(rows: Sequence[Mapping[str, str]], path: Path) -> None:
    """Writes curves of the gradient's norm and of the matched priors, and a map, layers by epochs, of each number.

    Args:
        rows: of diagnostics.csv: epoch, layer ("all" for the network), gradient_norm, gradient_norm_max, update_ratio,
            dead, matched; what is not there is empty.
        path: of the PNG.
    """
    layers = list(dict.fromkeys(row["layer"] for row in rows if row["layer"] != "all"))
    tall = max(0.12 * len(layers), 3.0)
    figure = Figure(figsize=(15, 3.2 + tall), layout="constrained")
    places = figure.add_gridspec(2, 6, height_ratios=(3.0, tall))
    whole = [row for row in rows if row["layer"] == "all"]
    norms = dress(figure.add_subplot(places[0, :3]), "epoch", "", "Norm of all gradients, before clipping")
    _curve(norms, whole, "gradient_norm", "root mean square of the steps", _BLUE)
    _curve(norms, whole, "gradient_norm_max", "largest of a step", _RED)
    norms.set_yscale("log")
    norms.legend(fontsize=8.5, edgecolor="none", framealpha=0.85)
    matched = dress(figure.add_subplot(places[0, 3:]), "epoch", "", "Matched priors of an image")
    _curve(matched, whole, "matched", "matched", _BLUE)
    matched.set_ylim(bottom=0)
    for axes in (norms, matched):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for number, (column, title, norm) in enumerate(_MAPS):
        axes = figure.add_subplot(places[1, 2 * number : 2 * number + 2])
        _map(figure, axes, rows, column, title, norm)
    save(figure, path)


def _curve(axes: Axes, rows: Sequence[Mapping[str, str]], column: str, label: str, colour: str) -> None:
    points = [(float(row["epoch"]), float(row[column])) for row in rows if row.get(column)]
    axes.plot(*np.array(points).reshape(-1, 2).T, color=colour, label=label, linewidth=1.6, marker="o", markersize=3)


def _map(
    figure: Figure, axes: Axes, rows: Sequence[Mapping[str, str]], column: str, title: str, norm: Normalize
) -> None:
    """One number of the layers, the first at the top, over the epochs."""
    axes.set_title(title, fontsize=11, loc="left")
    found = [row for row in rows if row["layer"] != "all" and row.get(column)]
    if not found:
        axes.set_axis_off()
        nothing(axes, "no layer has it")
        return
    layers = list(dict.fromkeys(row["layer"] for row in found))
    epochs = sorted({int(float(row["epoch"])) for row in found})
    values: NDArray[np.float64] = np.full((len(layers), epochs[-1] - epochs[0] + 1), np.nan)
    for row in found:
        values[layers.index(row["layer"]), int(float(row["epoch"])) - epochs[0]] = float(row[column])
    if isinstance(norm, LogNorm):  # which draws nothing for 0
        values = np.maximum(values, norm.vmin or 0)
    extent = (epochs[0] - 0.5, epochs[-1] + 0.5, len(layers) - 0.5, -0.5)
    image = axes.imshow(values, norm=norm, aspect="auto", interpolation="nearest", extent=extent, cmap="viridis")
    axes.set_yticks(range(len(layers)), [plain(name) for name in layers], fontsize=5.5)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, location="bottom", shrink=0.8, aspect=30).ax.tick_params(labelsize=8)
