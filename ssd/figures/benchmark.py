"""A benchmark for people: its table on the terminal, and mAP over latency as a chart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from rich.table import Table
from rich.text import Text

from ssd.figures.style import GREY, dress, hex_colours, nothing, save
from ssd.figures.text import plain

_LEFT = ("detector", "format", "precision")  # columns
_COLUMNS = ("detector", "format", "precision", "batch", "threads", "ms", "p95", "images/s", "mAP", "memory MB")
_MARKERS = {"float32": "o", "bfloat16": "D", "float16": "s", "int8": "^", "full_int8": "v"}


class Point(NamedTuple):
    """A variant of a detector.

    Attributes:
        detector, format, precision: which.
        latency, p95: milliseconds.
        mAP: from 0 to 1.
    """

    detector: str
    format: str
    precision: str
    latency: float
    p95: float
    mAP: float  # noqa: N815


def benchmark_table(rows: Sequence[Mapping[str, str]], title: str) -> Table:
    """One row a measurement, of which a terminal has room for the main columns; threads where they are not all one."""
    columns = [name for name in _COLUMNS if name in rows[0]]
    if len({row["threads"] for row in rows}) == 1:
        columns.remove("threads")
    table = Table(title=Text(title), title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in _LEFT else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in columns))
    return table


def precision_over_latency(points: Sequence[Point], conditions: str, path: Path) -> None:
    """Writes mAP over latency: a colour a format, a marker a precision, a whisker up to the 95th percentile.

    Args:
        points: of one or several detectors, which are named where there are several.
        conditions: of all of them, e.g. "batch 1, 2 threads".
        path: of the PNG.
    """
    figure = Figure(figsize=(8.6, 5.2), layout="constrained")
    axes = dress(figure.add_subplot(), f"milliseconds from file to detections, {conditions}", "mAP", "mAP over latency")
    if not points:
        nothing(axes, "nothing to compare: no mAP is known")
        return save(figure, path)
    formats = list(dict.fromkeys(point.format for point in points))
    colours = dict(zip(formats, hex_colours(len(formats)), strict=True))
    for point in points:
        colour = colours[point.format]
        axes.plot([point.latency, point.p95], [point.mAP] * 2, color=colour, linewidth=1, alpha=0.5)
        marker = _MARKERS[point.precision]
        axes.plot(point.latency, point.mAP, color=colour, marker=marker, markersize=8, linestyle="none")
    _scale(axes, points)
    if len({point.detector for point in points}) > 1:
        _name_detectors(axes, points)
    _legend(axes, colours, [name for name in _MARKERS if name in {point.precision for point in points}])
    return save(figure, path)


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    """Latencies on a logarithmic scale, named in plain numbers; room around the points."""
    axes.set_xscale("log")
    axes.set_xlim(min(point.latency for point in points) / 1.3, max(point.p95 for point in points) * 1.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(y=0.15)


def _name_detectors(axes: Axes, points: Sequence[Point]) -> None:
    """Each above its best point."""
    for name in dict.fromkeys(point.detector for point in points):
        best = max((point for point in points if point.detector == name), key=lambda point: point.mAP)
        axes.annotate(
            plain(name),
            (best.latency, best.mAP),
            (0, 9),
            textcoords="offset points",
            fontsize=9,
            color=GREY,
            ha="center",
        )


def _legend(axes: Axes, colours: Mapping[str, str], precisions: Sequence[str]) -> None:
    handles = [Line2D([], [], color=colour, linewidth=4, label=name) for name, colour in colours.items()]
    handles += [
        Line2D([], [], color=GREY, marker=_MARKERS[name], linestyle="none", markersize=7, label=name)
        for name in precisions
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
