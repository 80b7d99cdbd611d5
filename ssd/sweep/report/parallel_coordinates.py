"""Parallel coordinates: an axis for every key that varies, a line per job, coloured by its result."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Curve
from matplotlib.ticker import LogLocator, MaxNLocator

from ssd.figures.style import save
from ssd.figures.text import shorten
from ssd.runs.best_by import metric_of
from ssd.sweep.report.jobs import JobResult, compared_by, varying

_FEW_VALUES = 8  # numbers that are each written on their axis
_TICKS = 12  # named values of an axis
_LABEL = 22  # characters of a name on an axis


@dataclass(frozen=True)
class Scale:
    """One axis: where each job's value lies between 0 and 1, and what is written where."""

    places: list[float]
    ticks: list[tuple[float, str]]


def parallel_coordinates(jobs: Sequence[JobResult], path: Path) -> bool:
    """Writes the chart of the jobs that are done; the seed has an axis only where nothing else varies.

    Returns:
        Whether there was anything to draw: two jobs at least, and something that varies between them.
    """
    metric = metric_of(compared_by(jobs))
    done = sorted((job for job in jobs if job.done and metric in job.metrics), key=lambda job: job.metrics[metric])
    keys = varying(done)
    keys = [key for key in keys if key != "seed"] or keys
    if len(done) < 2 or not keys:
        return False
    results = [job.metrics[metric] for job in done]
    axes_of = {key: scale([job.value(key) for job in done], results) for key in keys} | {metric: _numbers(results)}
    figure = Figure(figsize=(min(2.2 * len(axes_of) + 1.6, 24), 5), layout="constrained")
    axes = figure.add_subplot()
    colours = ScalarMappable(Normalize(results[0], max(results[-1], results[0] + 1e-3)), "viridis_r")
    rgba = colours.to_rgba(np.array(results))
    lines = [axis.places if key == metric else _spread(axis.places) for key, axis in axes_of.items()]
    for index in range(len(done)):  # the best last, on top
        axes.add_patch(_curve([places[index] for places in lines], to_hex(rgba[index])))
    for position, (key, axis) in enumerate(axes_of.items()):
        _draw_axis(axes, position, key, axis)
    axes.set(xlim=(-0.1, len(axes_of) - 0.8), ylim=(-0.1, 1.1))
    axes.set_axis_off()
    axes.set_title(f"{len(done)} finished jobs, coloured by {metric}", fontsize=11, loc="left", pad=36)
    save(figure, path)
    return True


def scale(values: Sequence[str], results: Sequence[float]) -> Scale:
    """The axis of one key: of numbers, linear or logarithmic, where all values are some; else of names.

    Names stand in the order of their mean result, so that lines to a good one go up.
    """
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return _numbers([number for number in numbers if number is not None])
    means = {
        name: float(np.mean([result for value, result in zip(values, results, strict=True) if value == name]))
        for name in values
    }
    names = sorted(means, key=lambda name: (means[name], name))
    heights = dict(zip(names, np.linspace(0, 1, len(names)).tolist() if len(names) > 1 else [0.5], strict=True))
    return Scale([heights[value] for value in values], [(heights[name], name or "not given") for name in names])


def _numbers(values: Sequence[float]) -> Scale:
    low, high = min(values), max(values)
    if low == high:
        return Scale([0.5] * len(values), [(0.5, f"{low:.4g}")])
    # most of them at the low end of a wide range: the values of a learning rate, not those of a number of steps
    logarithmic = low > 0 and high / low >= 8 and float(np.median(values)) < (low + high) / 3
    change = math.log if logarithmic else float
    ticks = sorted(set(values))
    if len(ticks) > _FEW_VALUES:
        locator = LogLocator(subs=(1.0,) if high / low >= 100 else (1.0, 2.0, 5.0)) if logarithmic else MaxNLocator(6)
        ticks = [float(tick) for tick in locator.tick_values(low, high) if low <= tick <= high]

    def place(value: float) -> float:
        return (change(value) - change(low)) / (change(high) - change(low))

    return Scale([place(value) for value in values], [(place(tick), f"{tick:.4g}") for tick in ticks])


def _spread(places: Sequence[float]) -> list[float]:
    """Moves the lines of jobs that share a value a little apart; those given later, the better ones, up."""
    distinct = sorted(set(places))
    gap = min((b - a for a, b in pairwise(distinct)), default=0.5)
    width = min(0.35 * gap, 0.16)
    moved, seen = [], dict.fromkeys(places, 0)
    for place in places:
        count = places.count(place)
        moved.append(place + (width * (seen[place] / (count - 1) - 0.5) if count > 1 else 0.0))
        seen[place] += 1
    return moved


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _curve(heights: Sequence[float], colour: str) -> PathPatch:
    """A line through the axes that leaves each of them level, so that crossing jobs can be followed."""
    points, codes = [(0.0, heights[0])], [Curve.MOVETO]
    for position in range(1, len(heights)):
        before, here = heights[position - 1], heights[position]
        points += [(position - 0.6, before), (position - 0.4, here), (position, here)]
        codes += [Curve.CURVE4] * 3
    return PathPatch(Curve(points, codes), facecolor="none", edgecolor=colour, linewidth=1.7, alpha=0.9)


def _draw_axis(axes: Axes, position: int, key: str, axis: Scale) -> None:
    axes.plot([position, position], [0, 1], color="0.35", linewidth=1, zorder=3)
    axes.text(position, 1.13, key.replace(".", ".\n", 1), ha="center", va="bottom", fontsize=9)
    ticks = axis.ticks[:: math.ceil(len(axis.ticks) / _TICKS)] if axis.ticks else []
    for height, text in ticks:
        axes.plot([position - 0.015, position + 0.015], [height, height], color="0.35", linewidth=1, zorder=3)
        axes.text(
            position + 0.03,
            height,
            shorten(text, _LABEL),
            ha="left",
            va="center",
            fontsize=8,
            color="0.1",
            zorder=4,
            bbox={"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.8},
        )
