"""The check of an export: on real images it must find what the float32 detector finds that it was made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.evaluation.evaluate import evaluate
from ssd.export.differences import Differences, differences
from ssd.inference.detections import Detections
from ssd.inference.network import Network
from ssd.models.detector import NMSSettings

METRICS = ("mAP", "mAP50")


class Tolerance(NamedTuple):
    """What an export may differ by.

    Attributes:
        exact: largest difference of scores and boxes, with no detection missing or too many; None: any.
        metric: that counts.
        loss: of the metric, at most.
    """

    exact: float | None
    metric: str
    loss: float


TOLERANCES = {
    "float32": Tolerance(1e-4, "mAP", 0.001),
    "bfloat16": Tolerance(None, "mAP", 0.003),
    "float16": Tolerance(None, "mAP", 0.003),
    "int8": Tolerance(None, "mAP50", 0.01),
    "full_int8": Tolerance(None, "mAP50", 0.01),
}


@dataclass(frozen=True)
class Original:
    """What the detector itself finds in the images of a data set.

    Attributes:
        detections: of each image.
        dataset: whose annotations they are judged by.
        metrics: of `METRICS`, where the data set has objects.
        nms: its settings.
        least: score from which on a detection is a sure one.
        checkpoint: the `digest_of` of its file, where it is one.
    """

    detections: list[Detections]
    dataset: Dataset
    metrics: dict[str, float]
    nms: NMSSettings
    least: float
    checkpoint: str | None


@dataclass(frozen=True)
class Check:
    """What a check came to.

    Attributes:
        differences: of the detections; unless they must be the same, of the sure ones.
        metrics: of the export, as `Original.metrics`.
        failures: what is beyond the tolerance, a phrase each.
    """

    differences: Differences
    metrics: dict[str, float]
    failures: list[str]


def judge(detections: list[Detections], dataset: Dataset, score_threshold: float) -> dict[str, float]:
    """The metrics of detections in a data set's first images."""
    annotations = dataset.annotations[: len(detections)]
    found = evaluate(detections, annotations, dataset.class_names, score_threshold).metrics
    return {name: found[name] for name in METRICS if name in found}


def look(network: Network, batches: Iterable[NDArray[np.uint8]]) -> list[Detections]:
    """All that a network finds in images that come in batches."""
    return [found for images in batches for found in network(images, network.score_threshold)]


def check(original: Original, exported: list[Detections], precision: str) -> Check:
    """Compares an export's detections with those of the detector, in the same images."""
    tolerance = TOLERANCES[precision]
    least = 0.0 if tolerance.exact is not None else original.least
    found = differences(original.detections, exported, original.nms, least)
    metrics = judge(exported, original.dataset, original.least)
    failures = []
    if tolerance.exact is not None:
        if found.missing or found.extra:
            failures.append(f"{found.missing} of {found.detections} detections are missing, {found.extra} are too many")
        for name, value in (("scores", found.score), ("boxes", found.box)):
            if value > tolerance.exact:
                failures.append(f"{name} differ by {value:.2g}, more than {tolerance.exact:g}")
    if tolerance.metric in original.metrics:
        before, now = original.metrics[tolerance.metric], metrics.get(tolerance.metric, 0.0)
        if before - now > tolerance.loss:
            failures.append(
                f"{tolerance.metric} is {now:.4f} instead of {before:.4f}, which loses more than {tolerance.loss:g}"
            )
    return Check(found, metrics, failures)
