"""The picture of what one side has over another: each difference with the range that draws of the images give it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ssd.evaluation.bootstrap import CHANCE, Difference
from ssd.figures.style import GREY, dress, hex_colours, nothing, save
from ssd.figures.text import plain

_BLUE, _RED = hex_colours(2)
_MOST = 40  # rows; of more the largest differences


def draw_differences(rows: Sequence[tuple[str, Difference | None]], path: Path) -> None:
    """Writes a line for each row, from the first down: B less A in points, and where 95 % of the draws are.

    Coloured is what is larger than chance: blue where B is better, red where A is.

    Args:
        rows: name and difference; those without one are left out.
        path: of the PNG.
    """
    known = [(name, found) for name, found in rows if found is not None]
    kept = sorted(range(len(known)), key=lambda row: -abs(known[row][1].value))[:_MOST]
    shown = [known[row] for row in sorted(kept)]
    figure = Figure(figsize=(8, 1.2 + 0.32 * max(len(shown), 3)), layout="constrained")
    axes = dress(figure.add_subplot(), "points that B has over A (95 % of the draws)", "", "B less A")
    axes.axvline(0, color="0.3", linewidth=1)
    for place, (_, found) in enumerate(shown):
        colour = GREY if found.p >= CHANCE else _BLUE if found.value > 0 else _RED
        axes.plot([100 * found.low, 100 * found.high], [place, place], color=colour, linewidth=2.2)
        axes.plot(100 * found.value, place, "o", color=colour, markersize=6)
    axes.set_yticks(np.arange(len(shown)), [plain(name) for name, _ in shown])
    axes.set_ylim(max(len(shown), 1) - 0.5, -0.5)
    if not shown:
        nothing(axes, "no object to find")
    save(figure, path)
