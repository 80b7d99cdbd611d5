"""A trained detector's view of a data set's labels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from omegaconf import DictConfig

from ssd.console import counting, waiting
from ssd.data.look import Look
from ssd.data.rows import take
from ssd.data.sample import Dataset
from ssd.device import set_memory_growth
from ssd.experiment import build
from ssd.inference.detections import Detections
from ssd.inference.keras_network import KerasNetwork
from ssd.inference.views import Views, detect
from ssd.inspection.finding import Finding
from ssd.inspection.suspects import suspects
from ssd.weights.transfer import match_classes

_BATCH = 8


def suspicions(cfg: DictConfig, parts: Sequence[Dataset], looks: Sequence[Sequence[Look]]) -> list[Finding]:
    """Objects that the detector of `checkpoint` or `weights` finds otherwise, the surest first.

    Images that cannot be used, and objects of classes that it does not know, are left alone.
    """
    set_memory_growth(cfg.gpu_memory_growth)
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    network = KerasNetwork(model, _BATCH)
    found: list[Finding] = []
    for part, seen in zip(parts, looks, strict=True):
        rows = [i for i, look in enumerate(seen) if not look.error]
        sound = take(_with_known_classes(part, model.class_names), rows)
        for finding in suspects(sound, _detect(network, sound), cfg.task.suspects):
            shown = [replace(place, image=rows[place.image]) for place in finding.shown]
            found.append(replace(finding, shown=shown))
    return sorted(found, key=lambda finding: -finding.sureness)[: cfg.task.suspects]


def _detect(network: KerasNetwork, part: Dataset) -> list[Detections]:
    """Of each image, in the labels of the data set; what the data set has no class for is left out."""
    known = match_classes(part.class_names, network.class_names)
    labels = {network.class_names.index(name): label for label, name in enumerate(known.values()) if name is not None}
    found: list[Detections] = []
    with counting(f"detecting in {part.name}", len(part)) as advance:
        for start in range(0, len(part), _BATCH):
            images = [part[i].image for i in range(start, min(start + _BATCH, len(part)))]
            for detections in detect(network, images, Views(), network.score_threshold):
                kept = detections[np.isin(detections.labels, list(labels))]
                own = np.array([labels[label] for label in kept.labels.tolist()], np.int32)
                found.append(replace(kept, labels=own))
                advance()
    return found


def _with_known_classes(part: Dataset, class_names: Sequence[str]) -> Dataset:
    """The data set with objects of classes that a detector does not know as difficult ones, which are not judged."""
    known = np.array([name is not None for name in match_classes(part.class_names, class_names).values()])
    columns = part.columns
    return replace(part, annotations=replace(columns, difficult=columns.difficult | ~known[columns.labels]))
