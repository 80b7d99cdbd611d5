"""The picture of a learning rate range test."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ssd.figures.style import dress, hex_colours, save

_BLUE, _RED = hex_colours(2)


def draw_rate_test(rates: Sequence[float], losses: Sequence[float], suggestion: float, path: Path) -> None:
    """Writes the smoothed loss over the learning rate, and marks the suggested one.

    Args:
        rates, losses: of the steps.
        suggestion: one of the rates.
        path: of the PNG.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = dress(figure.add_subplot(), "learning rate", "train/loss, smoothed", "Learning rate range test")
    axes.plot(rates, losses, color=_BLUE, linewidth=1.6)
    axes.axvline(suggestion, color=_RED, linewidth=1.2, linestyle="--", label=f"suggested: {suggestion:.2g}")
    axes.set_xscale("log")
    top = 1.3 * losses[0]
    axes.set_ylim(0.9 * min(losses), max(top, 1.1 * min(losses)))
    axes.legend(fontsize=9, edgecolor="none", framealpha=0.85)
    save(figure, path)
