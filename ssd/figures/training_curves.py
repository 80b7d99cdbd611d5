"""The charts of a training over its epochs."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssd.figures.style import GREY, dress, hex_colours, nothing, save

_BLUE, _RED, _GREEN, _PURPLE = hex_colours(4)
_AVERAGE_PRECISIONS = {"val/mAP50": _BLUE, "val/mAP50_07": _PURPLE, "val/mAP": _RED}


def curves_from_csv(results: Path, path: Path, best_by: str) -> None:
    """Writes losses, mAP and learning rate over the epochs from a run's results.csv, and marks the best epoch.

    Args:
        results: columns epoch, train/loss, train/loss_cls, train/loss_box, val/..., val/mAP50, val/mAP50_07, val/mAP,
            lr; an empty cell (an epoch without validation) or a missing column is a point or line that is not drawn.
        path: of the PNG.
        best_by: the column whose highest value, the first of equal ones, makes an epoch the best: that of best.keras.
    """
    with results.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(13, 4), layout="constrained")
    losses, precision, rate = (dress(axes, "epoch", "", "") for axes in figure.subplots(1, 3, sharex=True))
    for name, colour in (("loss", _BLUE), ("loss_cls", _RED), ("loss_box", _GREEN)):
        _line(losses, rows, f"train/{name}", color=colour, linewidth=1.6)
        _line(losses, rows, f"val/{name}", color=colour, linewidth=1.2, linestyle="--", marker="o", markersize=3)
    for name, colour in _AVERAGE_PRECISIONS.items():
        _line(precision, rows, name, color=colour, linewidth=1.6, marker="o", markersize=3)
    _line(rate, rows, "lr", color=GREY, linewidth=1.6)
    precision.set_ylim(0, 1)
    losses.set_ylim(bottom=0)
    rate.set_ylim(bottom=0)
    _mark_best(losses, precision, rows, best_by)
    for axes, title in ((losses, "Loss"), (precision, "Mean average precision"), (rate, "Learning rate")):
        axes.set_title(title, fontsize=11, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(axes.lines) > 1:
            axes.legend(fontsize=8.5, edgecolor="none", framealpha=0.85)
        elif not axes.lines:
            nothing(axes, "nothing yet")
    epochs = {float(row["epoch"]) for row in rows if row.get("epoch")}
    if len(epochs) == 1:  # a single point: whole epochs around it, not hundredths
        losses.set_xlim(min(epochs) - 1, min(epochs) + 1)
    save(figure, path)


def _mark_best(losses: Axes, precision: Axes, rows: Sequence[dict[str, str]], best_by: str) -> None:
    """A line through the best epoch; in the chart of mAP its value by the criterion, in that of the losses its loss."""
    criterion, loss = _points(rows, best_by), dict(_points(rows, "val/loss"))
    if not len(criterion):
        return
    epoch, value = criterion[int(np.argmax(criterion[:, 1]))]
    for axes, column, number in ((losses, "val/loss", loss.get(epoch)), (precision, best_by, value)):
        label = f"best epoch {epoch:g}" + (f": {column} {number:.3f}" if number is not None else "")
        axes.axvline(epoch, color="0.3", linewidth=1, linestyle=":", label=label, zorder=1)
        if number is not None:
            axes.plot(epoch, number, "o", markersize=9, markerfacecolor="none", markeredgecolor="0.1", zorder=4)


def _line(axes: Axes, rows: Sequence[dict[str, str]], column: str, **style: object) -> None:
    """Draws one column over the epochs where it holds a finite number."""
    values = _points(rows, column)
    if len(values):
        single = {"marker": "o", "markersize": 3} if len(values) == 1 else {}
        axes.plot(values[:, 0], values[:, 1], label=column, **{**single, **style})  # type: ignore[arg-type]


def _points(rows: Sequence[dict[str, str]], column: str) -> NDArray[np.float64]:
    """(N, 2) epochs and finite values of a column."""
    points = [(row["epoch"], row[column]) for row in rows if row.get(column) and row.get("epoch")]
    values = np.array(points, np.float64).reshape(-1, 2)
    return values[np.isfinite(values).all(axis=1)]
