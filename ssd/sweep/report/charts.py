"""Charts that compare the jobs of a sweep, each written as a PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ssd.figures.style import FEW, GREY, dress, hex_colours, nothing, save
from ssd.figures.text import plain
from ssd.sweep.report.configurations import Configuration
from ssd.sweep.report.jobs import JobResult

_LABEL = 46  # characters of a name in a legend


def cost(groups: Sequence[Configuration], path: Path) -> bool:
    """Writes results over what a network costs: a point per configuration, numbered by rank, mean ± deviation.

    The grey line is the best to be had at a cost or below. Only the ten best are coloured and named.

    Returns:
        Whether there was anything to draw: two configurations at least, and not of the same network.
    """
    measured = [group for group in groups if group.result]
    if len({(str(group.measure("parameters")), str(group.measure("gflops"))) for group in measured}) < 2:
        return False
    panels = [
        (name, title, scale)
        for name, title, scale in (
            ("latency_ms", "one image, ms", 1.0),
            ("gflops", "one image, GFLOPs", 1.0),
            ("parameters", "parameters, M", 1e6),
        )
        if len({found.mean for group in measured if (found := group.measure(name))}) > 1
    ]
    if not panels:
        return False
    metric = groups[0].metric
    figure = Figure(figsize=(4.6 * len(panels) + 3.2, 4.4), layout="constrained")
    places = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    colours = _colours(groups)
    for axes, (name, title, scale) in zip(places, panels, strict=True):
        dress(axes, title, metric if axes is places[0] else "", f"{metric} over {name.partition('_')[0]}")
        _points(axes, groups, colours, name, scale)
    _legend(places[-1], groups, colours)
    save(figure, path)
    return True


def _points(axes: Axes, groups: Sequence[Configuration], colours: dict[int, str], name: str, scale: float) -> None:
    found: list[tuple[float, float]] = []
    for group in groups:
        x, y = group.measure(name), group.result
        if x is None or y is None:
            continue
        found.append((x.mean / scale, y.mean))
        axes.errorbar(
            x.mean / scale,
            y.mean,
            xerr=x.std / scale if x.std else None,
            yerr=y.std,
            fmt="o",
            markersize=6,
            color=colours.get(group.rank, "0.75"),
            elinewidth=1.1,
            capsize=2.5,
            zorder=3,
        )
        if group.rank in colours:
            axes.annotate(str(group.rank), found[-1], (5, 5), textcoords="offset points", fontsize=8.5, zorder=4)
    front = [
        point for point in sorted(found) if all(y < point[1] for x, y in found if x <= point[0] and (x, y) != point)
    ]
    axes.plot(*zip(*front, strict=True), color="0.8", linewidth=1.2, drawstyle="steps-post", zorder=1)
    axes.margins(0.12)
    low, high = axes.get_xlim()
    axes.set_xlim(max(0.0, low), high)
    low, high = axes.get_ylim()
    axes.set_ylim(max(-0.02 * high, low), high)


def curves(groups: Sequence[Configuration], path: Path) -> bool:
    """Writes `best_by` and train/loss over the epochs: a thin line per job, a thick one for a configuration's mean.

    Jobs that are not done are dashed, and no part of the mean, which ends where the shortest job does.

    Returns:
        Whether there was anything to draw.
    """
    if not any(job.epochs for group in groups for job in group.jobs):
        return False
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    best_by = groups[0].best_by
    precision, loss = (dress(axes, "epoch", "", "") for axes in figure.subplots(1, 2, sharex=True))
    colours = _colours(groups)
    for group in reversed(groups):  # the best on top
        colour = colours.get(group.rank, "0.8")
        for axes, name in ((precision, best_by), (loss, "train/loss")):
            single = len(group.jobs) == 1
            for job in group.jobs:
                style = {"linestyle": "-" if job.done else (0, (3, 2)), "alpha": 1.0 if single else 0.45}
                _line(axes, _series(job, name), color=colour, linewidth=1.6 if single else 0.8, **style)
            if not single:
                _line(axes, _mean(group.done, name), color=colour, linewidth=2.2)
    precision.set_ylim(bottom=0)
    loss.set_ylim(bottom=0)
    for axes, title in ((precision, best_by), (loss, "train/loss")):
        axes.set_title(title, fontsize=11, loc="left")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if not axes.lines:
            nothing(axes, "nothing recorded")
    epochs = {row["epoch"] for group in groups for job in group.jobs for row in job.epochs}
    if len(epochs) == 1:  # a single point: whole epochs around it, not hundredths
        loss.set_xlim(min(epochs) - 1, min(epochs) + 1)
    _legend(loss, groups, colours)
    save(figure, path)
    return True


def _series(job: JobResult, name: str) -> NDArray[np.float64]:
    """(N, 2) epochs and values, without those that are missing or not finite."""
    points = np.array([(row["epoch"], row[name]) for row in job.epochs if name in row], np.float64).reshape(-1, 2)
    return points[np.isfinite(points).all(axis=1)]


def _mean(jobs: Sequence[JobResult], name: str) -> NDArray[np.float64]:
    """(N, 2) epochs and means over the jobs, at the epochs that all of them have."""
    series = [{float(epoch): value for epoch, value in _series(job, name)} for job in jobs]
    shared = sorted(set.intersection(*(set(values) for values in series))) if len(series) > 1 else []
    return np.array([(epoch, np.mean([s[epoch] for s in series])) for epoch in shared], np.float64).reshape(-1, 2)


def _line(axes: Axes, points: NDArray[np.float64], **style: object) -> None:
    if len(points):
        marker = {"marker": "o", "markersize": 3} if len(points) == 1 else {}
        axes.plot(points[:, 0], points[:, 1], **marker, **style)  # type: ignore[arg-type]


def importance_bars(parts: dict[str, float], best_by: str, path: Path) -> None:
    """Writes the parts of `Importance.parts`, of a search by `best_by`, as bars, the largest on top."""
    figure = Figure(figsize=(7.5, 1.1 + 0.42 * len(parts)), layout="constrained")
    axes = dress(figure.add_subplot(), f"part of the effect on {best_by} (PED-ANOVA)", "", "Importance of parameters")
    names, values = [plain(name, _LABEL) for name in parts], list(parts.values())
    bars = axes.barh(names, values, color=hex_colours(1)[0], height=0.6)
    axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=4, fontsize=9, color=GREY)
    axes.set_xlim(0, max(values) * 1.12)
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    save(figure, path)


def _colours(groups: Sequence[Configuration]) -> dict[int, str]:
    """The ten best by rank."""
    named = groups[:FEW]
    return {group.rank: colour for group, colour in zip(named, hex_colours(len(named)), strict=True)}


def _legend(axes: Axes, groups: Sequence[Configuration], colours: dict[int, str]) -> None:
    """Names the coloured configurations right of a chart, with rank and result."""
    handles = []
    for group in groups[: len(colours)]:
        text = f"{group.rank}  {plain(group.label, _LABEL)}   {group.result or 'no result'}"
        handles.append(Line2D([], [], color=colours[group.rank], marker="o", markersize=5, linewidth=1.6, label=text))
    if len(groups) > len(colours):
        rest = f"{len(groups) - len(colours)} more"
        handles.append(Line2D([], [], color="0.75", marker="o", markersize=5, linewidth=1.6, label=rest))
    title = ", ".join(key.rpartition(".")[2] for key in groups[0].values) or "all jobs"
    axes.legend(
        handles=handles,
        title=f"{plain(title, _LABEL)}; {groups[0].metric}",
        loc="upper left",
        bbox_to_anchor=(1.01, 1),
        frameon=False,
        fontsize=8.5,
        title_fontsize=9,
        alignment="left",
    )
