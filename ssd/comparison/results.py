"""How much better B is than A, and whether that is chance."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.comparison.data import split_change
from ssd.data.recorded import Labelled
from ssd.errors import UserError
from ssd.evaluation.bootstrap import CHANCE, METRICS, Difference, difference, draw_images, resampled
from ssd.evaluation.record import Judged, paired_with


@dataclass(frozen=True)
class Compared:
    """A metric, or the AP of a class.

    Attributes:
        name: of it.
        a, b: the means over the runs of a side.
        difference: B less A; None where no image has an object.
    """

    name: str
    a: float
    b: float
    difference: Difference | None

    @property
    def sure(self) -> bool:
        """Whether the difference is larger than chance."""
        return self.difference is not None and self.difference.p < CHANCE

    def __str__(self) -> str:
        """The sentence: "B beats A by 1.2 ± 0.4 mAP50, p = 0.010"."""
        if self.difference is None:
            return f"{self.name}: no object to find"
        value, deviation, p = self.difference.value, self.difference.deviation, self.difference.p
        if value == 0 and deviation == 0:
            return f"A and B have the same {self.name}"
        better, worse = ("B", "A") if value > 0 else ("A", "B")
        by = f"{100 * abs(value):.1f} ± {100 * deviation:.1f} {self.name}"
        if self.sure:
            return f"{better} beats {worse} by {by}, p = {p:.3f}"
        return f"{better} is {by} ahead of {worse}, which may be chance: p = {p:.3f}"


@dataclass(frozen=True)
class Results:
    """What the paired bootstrap says.

    Attributes:
        metrics: of `METRICS`, in that order.
        classes: COCO's AP of each class.
        images: that were drawn from.
        draws: how many.
    """

    metrics: tuple[Compared, ...]
    classes: tuple[Compared, ...]
    images: int
    draws: int


def results(a: Sequence[Judged], b: Sequence[Judged], draws: int) -> Results:
    """Compares the validations of two sides on the same draws of the images.

    Args:
        a, b: of one or more runs each, whose mean counts.
        draws: of the images.

    Raises:
        UserError: they are of other images or classes, and say nothing about each other.
    """
    first = a[0]
    paired = [aligned(judged, first) for judged in (*a, *b)]
    times = draw_images(len(first.annotations), draws)
    found = [resampled(one.detections, one.annotations, len(one.class_names), times) for one in paired]
    ours, theirs = found[: len(a)], found[len(a) :]
    metrics = [_compared(name, [d.metrics[name] for d in ours], [d.metrics[name] for d in theirs]) for name in METRICS]
    classes = [
        _compared(name, [d.ap[label] for d in ours], [d.ap[label] for d in theirs])
        for label, name in enumerate(first.class_names)
        if not np.isnan(ours[0].ap[label, 0])
    ]
    return Results(tuple(metrics), tuple(classes), len(first.annotations), draws)


def aligned(judged: Judged, to: Judged) -> Judged:
    """The same validation with its images and classes in the order of another one.

    Raises:
        UserError: it is of other images, boxes or classes.
    """
    if (found := paired_with(judged, to)) is not None:
        return found
    if sorted(judged.class_names) != sorted(to.class_names):
        have = " and ".join(", ".join(names) for names in (to.class_names, judged.class_names))
        raise UserError(f"they detect different classes ({have}); compare detectors of the same")
    had, has = (Labelled(one.class_names, one.annotations) for one in (to, judged))
    change = split_change("val", had, has)
    raise UserError(f"they were validated on different images ({change}); evaluate both on the same")


def _compared(name: str, a: Sequence[NDArray[np.float64]], b: Sequence[NDArray[np.float64]]) -> Compared:
    one, other = (float(np.mean([values[0] for values in side])) for side in (a, b))
    return Compared(name, one, other, difference(a, b))
