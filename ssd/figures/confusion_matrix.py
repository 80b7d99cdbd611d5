"""The chart of which class is taken for which."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from ssd.evaluation.overlaps import MATCH_IOU
from ssd.figures.style import GREY, save
from ssd.figures.text import plain

_NORM = PowerNorm(0.5, 0, 1)  # an error in ten is seen beside nine that are right
_MEANING = (
    "Blue is right, orange wrong; the larger the share, the darker.\n"
    "Row of a class: its objects, and their share of all of them.\n"
    "Last row: false detections, and their share of all\n"
    "detections of the column's class."
)


def confusion_matrix(
    confusion: NDArray[np.int64], class_names: Sequence[str], score_threshold: float, path: Path
) -> None:
    """Writes the confusion matrix: counts, and shares as figures and colours (see `shares`).

    Args:
        confusion: (C + 1, C + 1) counts, row truth, column prediction, last background; see `Evaluation.confusion`.
        class_names: C names.
        score_threshold: of the detections counted.
        path: of the PNG.
    """
    size = len(confusion)
    cell, letters = (0.74, 8.5) if size <= 12 else (0.5, 6.5) if size <= 30 else (0.36, 5.5)  # inches, points
    side = size * cell
    figure = Figure(figsize=(max(side + 1.9, 4.6), side + 2.8), layout=ConstrainedLayoutEngine(h_pad=0.1))
    axes = figure.add_subplot()
    _cells(axes, confusion, letters)
    places, names = np.arange(size) + 0.5, [plain(name) for name in class_names]
    axes.set_xticks(places, [*names, "missed"], rotation=90, fontsize=max(letters, 7))
    axes.set_yticks(places, [*names, "false"], fontsize=max(letters, 7))
    axes.axhline(size - 1, color="0.4", linewidth=1)
    axes.axvline(size - 1, color="0.4", linewidth=1)
    axes.tick_params(length=0)
    axes.set(aspect="equal", xlim=(0, size), ylim=(size, 0), xlabel="predicted", ylabel="truth")
    axes.spines[:].set_visible(False)
    title = f"Confusion, score ≥ {score_threshold:g}, IoU ≥ {MATCH_IOU:g}"
    figure.suptitle(title, x=0.02, ha="left", fontsize=11)
    figure.supxlabel(_MEANING, x=0.02, ha="left", fontsize=8, color=GREY)
    save(figure, path)


def shares(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C + 1, C + 1) the part that each count is of a whole.

    The whole of a class's row are its objects. False detections, the last row, belong to no objects: theirs are all
    detections of the column's class, so that a class with many false ones is dark however many other classes have.
    """
    wholes = np.repeat(confusion.sum(axis=1, keepdims=True), len(confusion), axis=1)
    wholes[-1] = confusion.sum(axis=0)
    return confusion / np.maximum(wholes, 1)


def _cells(axes: Axes, confusion: NDArray[np.int64], letters: float) -> None:
    share = shares(confusion)
    right = np.eye(len(confusion), dtype=np.bool_)
    for cells, colours in ((right, "Blues"), (~right, "Oranges")):
        shown = np.ma.masked_array(share, ~cells | (confusion == 0))
        axes.pcolormesh(shown, cmap=colours, norm=_NORM, edgecolors="0.9", linewidth=0.4)
    for row, column in np.argwhere(confusion > 0):
        colour = "white" if _NORM(share[row, column]) > 0.6 else "0.15"
        text = f"{_short(int(confusion[row, column]))}\n{_percent(share[row, column])}"
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=letters, color=colour)


def _short(count: int) -> str:
    return f"{count}" if count < 10_000 else f"{count / 1000:.0f}k"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %") if share >= 0.005 else "<1 %"
