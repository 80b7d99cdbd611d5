"""Whether one detector is better than another by more than chance: a paired bootstrap over the images of a split.

Efron, Tibshirani: An Introduction to the Bootstrap (1993), chapters 13 and 15: the same images are drawn for both, with
replacement, so that what makes an image hard for both of them does not count.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.evaluation.coco import RECALLS
from ssd.evaluation.coco_matching import (
    IOUS,
    RIGHT,
    WRONG,
    Found,
    GroundTruth,
    collect_found,
    collect_objects,
    match,
)
from ssd.inference.detections import Detections

DRAWS = 1000
_ALL = 0  # area range


class Difference(NamedTuple):
    """How much better B is than A, over draws of the images.

    Attributes:
        mean, deviation: of the difference of the means over the classes.
        p: two-sided: how often such draws would show the other sign, at least 1 / draws.
    """

    mean: float
    deviation: float
    p: float

    def __str__(self) -> str:
        return f"{100 * self.mean:+.1f} ± {100 * self.deviation:.1f} (p = {self.p:.3f})"


def paired_differences(
    one: Sequence[Sequence[Detections]],
    other: Sequence[Sequence[Detections]],
    annotations: Sequence[Annotation],
    num_classes: int,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Difference]:
    """`other` less `one`, by COCO's mAP50_coco and mAP.

    Args:
        one, other: detections of two recipes, of each one or more trainings with other seeds, whose mean counts: in
            each, one per image.
        annotations: of the same images.
        num_classes: labels run from 0 to num_classes - 1.
        draws: of as many images as there are.
        seed: of the draws.

    Raises:
        ValueError: the numbers of images differ.
    """
    images = len(annotations)
    if lengths := {len(detections) for detections in (*one, *other)} - {images}:
        raise ValueError(f"Detections of {lengths.pop()} images cannot be paired with {images} images.")
    times = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), draws)
    means = [
        [resampled(detections, annotations, num_classes, times) for detections in trainings]
        for trainings in (one, other)
    ]
    return {
        name: _difference(*(np.mean([drawn[name] for drawn in trainings], axis=0) for trainings in means))
        for name in ("mAP50_coco", "mAP")
    }


def _difference(one: NDArray[np.float64], other: NDArray[np.float64]) -> Difference:
    gain = other - one
    defined = gain[~np.isnan(gain)]
    tail = min(float(np.mean(defined <= 0)), float(np.mean(defined >= 0)))
    return Difference(float(defined.mean()), float(defined.std(ddof=1)), min(max(2 * tail, 1 / len(defined)), 1.0))


def resampled(
    detections: Sequence[Detections],
    annotations: Sequence[Annotation],
    num_classes: int,
    times: NDArray[np.int64],
) -> dict[str, NDArray[np.float64]]:
    """COCO's mAP50_coco and mAP, each (B,) float64, of B draws of the images; NaN where a draw has no object.

    What is right or wrong in an image does not depend on the others, so that images are matched once.

    Args:
        detections, annotations: one per image.
        num_classes: labels run from 0 to num_classes - 1.
        times: (B, N) how often each draw has each image.
    """
    objects, found = collect_objects(annotations), collect_found(detections, annotations)
    outcome = match(found, objects)[:, _ALL]
    each = [_of_class(label, found, objects, outcome, times) for label in range(num_classes)]
    aps = np.stack(each, axis=0)  # (C, B, 10)
    with np.errstate(invalid="ignore"):
        defined = ~np.isnan(aps)
        means = np.where(defined, aps, 0).sum(axis=0) / defined.sum(axis=0)
    return {"mAP50_coco": means[:, 0], "mAP": means.mean(axis=1)}


def _of_class(
    label: int, found: Found, objects: GroundTruth, outcome: NDArray[np.int8], times: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(B, 10) AP of one class in each draw, at each IoU; NaN where a draw has no object of it."""
    images = times.shape[1]
    mine = np.flatnonzero(found.group // images == label)
    mine = mine[np.argsort(-found.scores[mine], kind="stable")]
    required = (objects.group // images == label) & ~objects.ignored[:, _ALL]
    total = times[:, objects.group[required] % images].sum(axis=1)
    weights = times[:, found.group[mine] % images]
    aps = np.full((len(times), len(IOUS)), np.nan)
    for iou in range(len(IOUS)):
        right = np.cumsum(weights * (outcome[mine, iou] == RIGHT), axis=1)
        wrong = np.cumsum(weights * (outcome[mine, iou] == WRONG), axis=1)
        for draw in np.flatnonzero(total):
            aps[draw, iou] = _average_precision(right[draw], wrong[draw], int(total[draw]))
    return aps


def _average_precision(right: NDArray[np.int64], wrong: NDArray[np.int64], objects: int) -> float:
    """COCO's AP at 101 recalls, from counts by falling score."""
    precision = right / np.maximum(right + wrong, 1)
    envelope = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(right / objects, RECALLS)].mean())
