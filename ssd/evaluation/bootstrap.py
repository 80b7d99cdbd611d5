"""Whether one detector is better than another by more than chance: a paired bootstrap over the images of a split.

Efron, Tibshirani: An Introduction to the Bootstrap (1993), chapters 13 and 16: the same images are drawn for both, with
replacement, so that what makes an image hard for both of them does not count. Images are drawn, not trainings: how far
another seed would have come is told by trainings with other seeds alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.coco import RECALLS
from ssd.evaluation.coco_matching import IGNORED, RIGHT, WRONG, collect_found, collect_objects, match
from ssd.evaluation.overlaps import overlaps
from ssd.evaluation.voc import best_objects, first_claims
from ssd.inference.detections import Detections

DRAWS = 1000
METRICS = ("mAP", "mAP50", "mAP50_07")
CHANCE = 0.05  # a difference whose p is below is larger than chance
_ALL = 0  # area range
_MOST_CELLS = 4_000_000  # of a table of detections and draws, to keep memory flat

Counts = NDArray[np.int32]
# (B, R) how many detections are right, and how many right or wrong, up to each right one; (B,) objects → (B,) AP
Measure = Callable[[Counts, Counts, NDArray[np.int64]], NDArray[np.float64]]


class Difference(NamedTuple):
    """How much better B is than A.

    Attributes:
        value: on the images as they are.
        deviation: standard deviation over the draws.
        low, high: between which 95 % of the draws are.
        p: two-sided: how often draws, moved so that they have no difference on average, show one as large as `value`;
            at least 1 / draws.
    """

    value: float
    deviation: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        return f"{100 * self.value:+.1f} ± {100 * self.deviation:.1f} (p = {self.p:.3f})"


@dataclass(frozen=True, eq=False)
class Draws:
    """The metrics of a detector on B draws of the images, the first of which is the images as they are.

    Attributes:
        metrics: name in `METRICS` → (B,) float64; NaN where a draw has no object.
        ap: (C, B) float64, COCO's AP over IoU 0.50 to 0.95 of each class; NaN where a draw has no object of it.
    """

    metrics: dict[str, NDArray[np.float64]]
    ap: NDArray[np.float64]


def draw_images(images: int, draws: int = DRAWS, seed: int = 0) -> Counts:
    """(1 + draws, images) how often each draw has each image; the first has each once."""
    drawn = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), draws)
    return np.concatenate([np.ones((1, images), np.int32), drawn], dtype=np.int32, casting="same_kind")


def difference(one: Sequence[NDArray[np.float64]], other: Sequence[NDArray[np.float64]]) -> Difference | None:
    """`other` less `one`; None where the images as they are have no object.

    Args:
        one, other: (B,) a metric of one or more trainings, whose mean counts, on the same draws.
    """
    gain = np.mean(other, axis=0) - np.mean(one, axis=0)
    drawn = gain[1:][~np.isnan(gain[1:])]
    if np.isnan(gain[0]) or len(drawn) < 2:
        return None
    low, high = np.percentile(drawn, (2.5, 97.5)).tolist()
    by_chance = np.abs(drawn - drawn.mean()) >= np.abs(gain[0])  # chapter 16.4: what the test supposes is made true
    p = max(float(by_chance.mean()), 1 / len(drawn))
    return Difference(float(gain[0]), float(drawn.std(ddof=1)), low, high, p)


def resampled(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    times: Counts,
) -> Draws:
    """The metrics of each draw.

    What is right or wrong in an image does not depend on the others, so that images are matched once.

    Args:
        detections, annotations: one per image.
        num_classes: labels run from 0 to num_classes - 1.
        times: (B, N) how often each draw has each image.

    Raises:
        ValueError: the numbers of images differ.
    """
    if {len(detections), len(annotations)} != {times.shape[1]}:
        raise ValueError(
            f"Draws of {times.shape[1]} images do not fit detections of {len(detections)} and annotations of "
            f"{len(annotations)}."
        )
    by_coco, by_voc = _by_coco(detections, annotations), _by_voc(detections, annotations)
    ap = _precisions(by_coco, num_classes, times, _coco_ap).mean(axis=2)
    voc = {
        name: _precisions(by_voc, num_classes, times, measure)[..., 0]
        for name, measure in (("mAP50", _area), ("mAP50_07", _eleven_points))
    }
    return Draws({name: _mean(aps) for name, aps in {"mAP": ap, **voc}.items()}, ap)


class _Judged(NamedTuple):
    """What became of K detections, by falling score, and the N objects that have to be found.

    Attributes:
        labels, images: (K,) of the detections.
        outcomes: (K, J) RIGHT, WRONG or IGNORED, at J thresholds.
        object_labels, object_images: (N,) each.
    """

    labels: NDArray[np.int64]
    images: NDArray[np.int64]
    outcomes: NDArray[np.int8]
    object_labels: NDArray[np.int64]
    object_images: NDArray[np.int64]


def _by_coco(detections: Sequence[Detections], annotations: Sequence[Annotation]) -> _Judged:
    objects, found = collect_objects(annotations), collect_found(detections, annotations)
    order = np.argsort(-found.scores, kind="stable")
    labels, images = np.divmod(found.group[order], len(annotations))
    object_labels, object_images = np.divmod(objects.group[~objects.ignored[:, _ALL]], len(annotations))
    return _Judged(labels, images, match(found, objects)[order, _ALL], object_labels, object_images)


def _by_voc(detections: Sequence[Detections], annotations: Sequence[Annotation]) -> _Judged:
    outcomes = [np.zeros(0, np.int8)]
    for found, annotation in zip(detections, annotations, strict=True):
        order = np.argsort(-found.scores, kind="stable")
        belongs = best_objects(found, annotation, overlaps(found.boxes, annotation))[order]
        outcome = np.where(first_claims(belongs), RIGHT, np.where(belongs < -1, IGNORED, WRONG)).astype(np.int8)
        outcomes.append(outcome[np.argsort(order)])
    scores = np.concatenate([np.zeros(0, np.float32), *(found.scores for found in detections)])
    order = np.argsort(-scores, kind="stable")
    required = [~(annotation.difficult | annotation.crowd) for annotation in annotations]
    return _Judged(
        _joined([found.labels for found in detections])[order],
        np.repeat(np.arange(len(detections)), [len(found) for found in detections])[order],
        np.concatenate(outcomes)[order, None],
        _joined([annotation.labels[rows] for annotation, rows in zip(annotations, required, strict=True)]),
        np.repeat(np.arange(len(annotations)), [int(rows.sum()) for rows in required]),
    )


def _joined(labels: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(0, np.int64), *labels]).astype(np.int64)


def _precisions(judged: _Judged, num_classes: int, times: Counts, measure: Measure) -> NDArray[np.float64]:
    """(C, B, J) AP of each class, in each draw, at each threshold; NaN where a draw has no object of the class."""
    aps = np.full((num_classes, len(times), judged.outcomes.shape[1]), np.nan)
    for label in range(num_classes):
        mine = np.flatnonzero(judged.labels == label)
        outcomes = judged.outcomes[mine]
        total = times[:, judged.object_images[judged.object_labels == label]].sum(axis=1)
        some = np.flatnonzero(total)
        for draws in np.array_split(some, -(-len(some) * max(len(mine), 1) // _MOST_CELLS) or 1):
            weights = times[np.ix_(draws, judged.images[mine])]
            seen = np.cumsum(weights, axis=1, dtype=np.int32)
            for threshold in range(outcomes.shape[1]):
                # recall rises at the right ones, and precision falls everywhere else
                places = np.flatnonzero(outcomes[:, threshold] == RIGHT)
                right = np.cumsum(weights[:, places], axis=1, dtype=np.int32)
                counted = seen[:, places] - _ignored(weights, outcomes[:, threshold], places)
                aps[label, draws, threshold] = measure(right, counted, total[draws])
    return aps


def _ignored(weights: Counts, outcomes: NDArray[np.int8], places: NDArray[np.int64]) -> Counts:
    """(B, R) how many detections in front of each place are neither right nor wrong."""
    ignored = np.flatnonzero(outcomes == IGNORED)
    so_far = np.cumsum(weights[:, ignored], axis=1, dtype=np.int32)
    return np.pad(so_far, ((0, 0), (1, 0)))[:, np.searchsorted(ignored, places)]


def _envelope(right: Counts, counted: Counts) -> NDArray[np.float64]:
    """(B, R) the best precision at each place or a later one."""
    precision = right / np.maximum(counted, 1)
    best: NDArray[np.float64] = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return best


def _area(right: Counts, counted: Counts, objects: NDArray[np.int64]) -> NDArray[np.float64]:
    """VOC 2010's AP (`ssd.evaluation.voc.area_ap`) of each draw."""
    area: NDArray[np.float64] = (np.diff(right, axis=1, prepend=0) * _envelope(right, counted)).sum(axis=1) / objects
    return area


def _at_recalls(
    recalls: NDArray[np.float64], right: Counts, counted: Counts, objects: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean over some recalls of the best precision at that recall or above, 0 beyond the last, of each draw."""
    draws, places = right.shape
    best = np.concatenate([_envelope(right, counted), np.zeros((draws, 1))], axis=1)
    needed = np.floor(recalls * objects[:, None]).astype(np.int64)
    needed += needed / objects[:, None] < recalls  # the least number of right ones whose recall, a quotient, reaches it
    rows = np.arange(draws)[:, None]
    apart = rows * (int(objects.max()) + 2)  # all draws in one search: none reaches into the next one's numbers
    found = np.searchsorted((right + apart).ravel(), (needed + apart).ravel()).reshape(needed.shape) - rows * places
    at_recalls: NDArray[np.float64] = best[rows, found].mean(axis=1)
    return at_recalls


_coco_ap = partial(_at_recalls, RECALLS)
_eleven_points = partial(_at_recalls, np.arange(11) / 10)


def _mean(aps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(B,) of (C, B), over the classes that have an AP."""
    defined = ~np.isnan(aps)
    with np.errstate(invalid="ignore"):
        mean: NDArray[np.float64] = np.where(defined, aps, 0).sum(axis=0) / defined.sum(axis=0)
    return mean
