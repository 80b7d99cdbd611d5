"""Whether the best job of a sweep is better than the others by more than chance, by what each found in the images.

By the paired bootstrap over the validation images. Where many are compared with the best, some are behind by chance
alone: p is corrected for their number (Holm: A Simple Sequentially Rejective Multiple Test Procedure, 1979).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from ssd.errors import UserError
from ssd.runs.best_by import metric_of
from ssd.runs.folder import VALIDATION
from ssd.sweep.report.configurations import Configuration
from ssd.sweep.report.jobs import JobResult, best_of, compared_by

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ssd.evaluation.bootstrap import Difference
    from ssd.evaluation.record import Judged

_DRAWS = 1000
_DRAWS_EACH = 40  # for each comparison, so that the least p, corrected, is below 0.05


@dataclass(frozen=True)
class Behind:
    """What a job, or the mean of a configuration, has less than the best.

    Attributes:
        difference: it less the best, in the metric that they are ranked by.
        p: corrected for the number of comparisons.
        sure: whether that is more than chance.
    """

    difference: "Difference"
    p: float
    sure: bool

    def __str__(self) -> str:
        text = f"{100 * self.difference.value:+.1f} ± {100 * self.difference.deviation:.1f} (p = {self.p:.3f})"
        return f"{text} *" if self.sure else text


@dataclass(frozen=True)
class Chance:
    """Who is behind the best by how much.

    Attributes:
        metric: e.g. mAP.
        jobs: number → that job.
        groups: rank → that configuration, by the mean over its jobs; empty where none ran more than once.
        images, draws: of the bootstrap.
        unknown: numbers of the jobs that are done and recorded nothing to compare, or were judged on other images.
    """

    metric: str
    jobs: Mapping[int, Behind]
    groups: Mapping[int, Behind]
    images: int
    draws: int
    unknown: tuple[int, ...]

    @property
    def sentence(self) -> str:
        """How many the best is ahead of for sure."""
        sure = sum(behind.sure for behind in self.jobs.values())
        others = sorted(number for number, behind in self.jobs.items() if not behind.sure)
        text = f"Its lead is larger than chance over {sure} of {len(self.jobs)} other jobs"
        return f"{text}, not over {', '.join(map(str, others))}." if others else f"{text}."

    @property
    def explanation(self) -> str:
        """What the columns say."""
        text = (
            f"To the best: points of {self.metric} behind it ± standard deviation, by a paired bootstrap of "
            f"{self.draws:,} draws of the {self.images:,} validation images; p corrected for the number of jobs, "
            "*: larger than chance, p < 0.05. Another seed is another detector: over seeds the configurations tell."
        )
        if self.unknown:
            numbers = ", ".join(map(str, self.unknown))
            text += f" Not compared, as they recorded no detections of these images: {numbers}."
        return text


def chance(jobs: Sequence[JobResult], groups: Sequence[Configuration]) -> Chance | None:
    """Compares every job that is done with the best one, from what they recorded; None where there is nothing to.

    Args:
        jobs: ranked.
        groups: the same as configurations, ranked.
    """
    best, metric = best_of(jobs), metric_of(compared_by(jobs))
    done = [job for job in jobs if job.done and metric in job.metrics]
    if best is None or len(done) < 2 or (first := _recorded(best)) is None:
        return None
    draws = max(_DRAWS, _DRAWS_EACH * len(done))
    found = _drawn(done, first, metric, draws)
    if len(found) < 2:
        return None
    others = {number: _difference([found[best.job]], [drawn]) for number, drawn in found.items() if number != best.job}
    unknown = tuple(sorted(job.job for job in done if job.job not in found))
    return Chance(metric, _corrected(others), _of_groups(groups, found), len(first.annotations), draws, unknown)


def _recorded(job: JobResult) -> "Judged | None":
    """What a job found; None where it did not record that, or the record is damaged."""
    from ssd.evaluation.record import read_judged  # here, as it loads numpy and OpenCV

    if job.folder is None or not (job.folder / VALIDATION).is_file():
        return None
    try:
        return read_judged(job.folder / VALIDATION)
    except UserError:
        return None


def _drawn(done: Sequence[JobResult], first: "Judged", metric: str, draws: int) -> "dict[int, NDArray[np.float64]]":
    """Number of a job → its metric in each draw of the images, those of `first`; jobs without a record are left out."""
    from ssd.console import counting
    from ssd.evaluation.bootstrap import draw_images, resampled
    from ssd.evaluation.record import paired_with

    times = draw_images(len(first.annotations), draws)
    found: dict[int, NDArray[np.float64]] = {}
    with counting("comparing the jobs", len(done)) as advance:
        for job in done:
            recorded = _recorded(job)
            if recorded is not None and (judged := paired_with(recorded, first)) is not None:
                drawn = resampled(judged.detections, judged.annotations, len(judged.class_names), times)
                found[job.job] = drawn.metrics[metric]
            advance()
    return found


def _of_groups(groups: Sequence[Configuration], found: "Mapping[int, NDArray[np.float64]]") -> dict[int, Behind]:
    """Configurations all of whose results are known, to the first; the mean of each counts."""
    drawn = {
        group.rank: [found[job.job] for job in group.done]
        for group in groups
        if group.done and all(job.job in found for job in group.done)
    }
    first = groups[0].rank
    if first not in drawn or not any(len(group.jobs) > 1 for group in groups):
        return {}
    return _corrected({rank: _difference(drawn[first], some) for rank, some in drawn.items() if rank != first})


def _difference(best: "Sequence[NDArray[np.float64]]", other: "Sequence[NDArray[np.float64]]") -> "Difference | None":
    from ssd.evaluation.bootstrap import difference

    return difference(best, other)


def _corrected(found: "Mapping[int, Difference | None]") -> dict[int, Behind]:
    """With Holm's p: the least is multiplied by how many there are, the next by one less, none is below one before."""
    from ssd.evaluation.bootstrap import CHANCE

    known = {number: one for number, one in found.items() if one is not None}
    order = sorted(known, key=lambda number: known[number].p)
    ps = accumulate((min(known[number].p * (len(order) - place), 1.0) for place, number in enumerate(order)), max)
    return {number: Behind(known[number], p, p < CHANCE) for number, p in zip(order, ps, strict=True)}


def behind_rows(rows: Sequence[Mapping[str, Any]], key: str, behind: Mapping[int, Behind]) -> list[dict[str, Any]]:
    """The rows of a table with a column "to the best", where any has it; `key` names the column of their number."""
    if not behind:
        return [dict(row) for row in rows]
    return [{**row, "to the best": str(behind.get(row[key], ""))} for row in rows]


def behind_numbers(rows: Sequence[Mapping[str, Any]], key: str, behind: Mapping[int, Behind]) -> list[dict[str, Any]]:
    """The same as plain numbers."""

    def columns(found: Behind | None) -> dict[str, Any]:
        return {
            "to_best": found and found.difference.value,
            "to_best_std": found and found.difference.deviation,
            "to_best_p": found and found.p,
        }

    return [{**row, **columns(behind.get(row[key]))} for row in rows]
