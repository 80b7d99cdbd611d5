"""Priors fitted to objects: as many as before, in other sizes and shapes.

Two starts, the given priors and a k-means of the objects under 1 - IoU (YOLOv2, arXiv 1612.08242, section 2,
"Dimension Clusters"), whose clusters become the levels' scales; from each a coordinate ascent, one scale or ratio at a
time, as long as it reaches more. The better end is taken. The form is SSD's (paper, section 2.2): a scale for each
level, growing, and ratios with their reciprocals.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from ssd.models.prior_reach import Reach, level_ious, reach, shape_ious
from ssd.models.priors import PriorLevel

FEWEST = 20  # objects: of fewer a fit would say more about chance
MOST = 3000  # objects that are looked at
_STEPS = (1.3, 1.1, 1.03)  # factors of a move, the coarse ones first
_GAIN = 1e-4  # of the measure: a round with less is the last of its step
_ROUNDS = 30  # of a step at most; each was seen to need fewer than ten
_APART = 1.1  # factor between neighbouring scales at least, where the given ones have it, and a cell's ratios
_TAIL = 1.05  # the largest, as in Caffe's configurations; or the given one
_RATIOS = (1.1, 8.0)
_MEANS = 50  # rounds of k-means


@dataclass(frozen=True)
class PriorFit:
    """Fitted priors.

    Attributes:
        scales: minimum size per level, then the tail, as in `PriorSpec`.
        aspect_ratios: per level.
        before, after: what the given and the fitted priors reach.
        objects: that it was fitted to.
    """

    scales: tuple[float, ...]
    aspect_ratios: tuple[tuple[float, ...], ...]
    before: Reach
    after: Reach
    objects: int


def fit_priors(
    levels: Sequence[PriorLevel],
    boxes: NDArray[np.floating],
    labels: NDArray[np.integer],
    match_iou: float,
    clip: bool,
) -> PriorFit | None:
    """Scales and ratios for the levels of a detector that reach the objects best; the same for the same objects.

    The measure is the share of objects that a prior overlaps by `match_iou` plus the mean of the highest IoU, each
    class counting alike, as in mAP. It never falls below that of the given priors.

    Args:
        levels: with the given priors; places, cells and the number of ratios stay.
        boxes: (N, 4) ymin, xmin, ymax, xmax as fractions of the image; of more than `MOST` some are drawn.
        labels: (N,) their classes.
        match_iou: IoU from which a prior is matched.
        clip: as `build_priors`.

    Returns:
        The fit; None of fewer than `FEWEST` objects.
    """
    if len(boxes) < FEWEST:
        return None
    if len(boxes) > MOST:
        drawn = np.sort(np.random.default_rng(0).choice(len(boxes), MOST, replace=False))
        boxes, labels = boxes[drawn], labels[drawn]
    search = _Search(boxes, 1 / np.bincount(labels)[labels] / len(np.unique(labels)), match_iou, clip, tuple(levels))
    given = _Shapes.of(levels)
    starts = [given, *search.clustered(given)]
    best = max((search.climb(start) for start in starts), key=lambda shapes: search.value(search.ious(shapes)))
    if search.value(search.ious(best)) <= search.value(search.ious(given)):
        best = given
    before, after = (reach(search.ious(shapes).max(axis=1), labels, match_iou) for shapes in (given, best))
    return PriorFit(best.scales, best.ratios, before, after, len(boxes))


@dataclass(frozen=True)
class _Shapes:
    """Scales, the tail among them, and ratios per level."""

    scales: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, levels: Sequence[PriorLevel]) -> "_Shapes":
        scales = (*(level.scale for level in levels), levels[-1].next_scale)
        return cls(scales, tuple(level.aspect_ratios for level in levels))

    def level(self, k: int, level: PriorLevel) -> PriorLevel:
        """Level k with these priors."""
        return replace(level, scale=self.scales[k], next_scale=self.scales[k + 1], aspect_ratios=self.ratios[k])

    @property
    def count(self) -> int:
        """Of all scales and ratios."""
        return len(self.scales) + sum(map(len, self.ratios))

    def moved(self, index: int, factor: float) -> tuple["_Shapes", tuple[int, ...]]:
        """One scale or ratio larger or smaller by a factor, and the levels that this changes."""
        if index < len(self.scales):
            scales = list(self.scales)
            scales[index] = round(scales[index] * factor, 4)
            return replace(self, scales=tuple(scales)), tuple({max(index - 1, 0), min(index, len(self.ratios) - 1)})
        k, n = [(k, n) for k, own in enumerate(self.ratios) for n in range(len(own))][index - len(self.scales)]
        ratios = [list(own) for own in self.ratios]
        ratios[k][n] = round(ratios[k][n] * factor, 3)
        return replace(self, ratios=tuple(map(tuple, ratios))), (k,)


@dataclass(frozen=True)
class _Search:
    """The objects, and the priors that are tried on them."""

    boxes: NDArray[np.floating]
    weights: NDArray[np.float64]
    match_iou: float
    clip: bool
    levels: tuple[PriorLevel, ...]

    def ious(self, shapes: _Shapes) -> NDArray[np.float32]:
        """(N, L) highest IoU with each level."""
        return level_ious([shapes.level(k, level) for k, level in enumerate(self.levels)], self.boxes, self.clip)

    def value(self, ious: NDArray[np.float32]) -> float:
        """The measure."""
        highest = ious.max(axis=1)
        return float(self.weights @ ((highest >= self.match_iou) + highest))

    def climb(self, shapes: _Shapes) -> _Shapes:
        """Coordinate ascent, with smaller steps where the larger ones gain nothing any more."""
        ious = self.ious(shapes)
        value = self.value(ious)
        for factor in _STEPS:
            for _ in range(_ROUNDS):
                before = value
                for index, change in product(range(shapes.count), (factor, 1 / factor)):
                    moved, changed = shapes.moved(index, change)
                    if not self._allows(moved, changed):
                        continue
                    tried = ious.copy()
                    for k in changed:
                        tried[:, k] = shape_ious(moved.level(k, self.levels[k]), self.boxes, self.clip).max(axis=1)
                    if (reached := self.value(tried)) > value:
                        shapes, ious, value = moved, tried, reached
                if value - before < _GAIN:
                    break
        return shapes

    def _allows(self, shapes: _Shapes, changed: Sequence[int]) -> bool:
        """Whether scales grow, none is far below its level's step or above the image, and ratios stay apart."""
        given, tail = _Shapes.of(self.levels).scales, max(self.levels[-1].next_scale, _TAIL)
        nearer = [min(_APART, b / a) for a, b in pairwise(given)]
        if shapes.scales[-1] > tail or any(
            b < a * apart for (a, b), apart in zip(pairwise(shapes.scales), nearer, strict=True)
        ):
            return False
        for k in changed:
            level, ratios = self.levels[k], sorted(shapes.ratios[k])
            if shapes.scales[k] < min(level.scale, level.step / 2):
                return False
            if any(not _RATIOS[0] <= max(ratio, 1 / ratio) <= _RATIOS[1] for ratio in ratios):
                return False
            if any(b < a * _APART for a, b in pairwise(ratios)):
                return False
        return True

    def clustered(self, given: _Shapes) -> list[_Shapes]:
        """The given ratios on the scales of a k-means of heights and widths; none where these are not allowed."""
        sides = (self.boxes[:, 2:] - self.boxes[:, :2]).astype(np.float64)
        centres = sides[np.argsort(sides.prod(axis=1), kind="stable")]
        centres = centres[np.linspace(0, len(sides) - 1, 2 * len(self.levels) + 1).astype(int)[1::2]]
        for _ in range(_MEANS):
            shared = np.minimum(sides[:, None], centres).prod(axis=2)
            nearest = (shared / (sides.prod(axis=1)[:, None] + centres.prod(axis=1) - shared)).argmax(axis=1)
            counts = np.bincount(nearest, self.weights, minlength=len(centres))
            sums = [np.bincount(nearest, self.weights * sides[:, axis], minlength=len(centres)) for axis in (0, 1)]
            moved = np.where(counts[:, None] > 0, np.stack(sums, axis=1) / np.maximum(counts, 1e-12)[:, None], centres)
            if np.allclose(moved, centres):
                break
            centres = moved
        scales: list[float] = []
        for size, level in zip(np.sort(np.sqrt(centres.prod(axis=1))), self.levels, strict=True):
            scales.append(round(max(float(size), level.step / 2, scales[-1] * _APART if scales else 0.0), 4))
        start = replace(given, scales=(*scales, max(given.scales[-1], round(scales[-1] * _APART, 4))))
        return [start] if self._allows(start, range(len(self.levels))) else []
