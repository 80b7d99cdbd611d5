"""What the priors of a detector reach of the training set's objects, by level and by size, and what they do not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.figures.prior_shapes import prior_shapes
from ssd.inspection.finding import Finding
from ssd.models.prior_fit import PriorFit
from ssd.models.prior_reach import Reach, level_ious, matched_counts, reach
from ssd.models.priors import PriorLevel
from ssd.runs.folder import PLOTS
from ssd.runs.markdown import markdown_table

_MANY_UNREACHED = 0.1  # share of the objects from which it is a finding
_COUNTED = 2000  # objects whose priors are counted
# Sides of COCO's size classes, here in pixels of the network's image.
_SIZES = {"small": (0, 32), "medium": (32, 96), "large": (96, np.inf)}


@dataclass(frozen=True, eq=False)
class PriorCheck:
    """The objects of a training set, without crowds, before the priors of a detector.

    Attributes:
        detector: its name.
        image_size: side in pixels of the network's images.
        levels: of its priors.
        clip: whether these are limited to the image.
        match_iou: IoU from which a prior is matched.
        boxes: (N, 4) float32 normalised ymin, xmin, ymax, xmax, N > 0.
        labels: (N,) int32.
        fit: what `detector.priors=auto` would bring; None where priors are a trained detector's, or objects too few.
    """

    detector: str
    image_size: int
    levels: Sequence[PriorLevel]
    clip: bool
    match_iou: float
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    fit: PriorFit | None

    @property
    def shapes(self) -> list[list[tuple[float, float]]]:
        """(height, width) of each level's priors, as fractions of the image."""
        largest = 1.0 if self.clip else np.inf
        return [[(min(high, largest), min(wide, largest)) for high, wide in level.shapes] for level in self.levels]

    @cached_property
    def ious(self) -> NDArray[np.float32]:
        """(N, L): the highest IoU of each object with a prior of each level."""
        return level_ious(self.levels, self.boxes, self.clip)

    @cached_property
    def reached(self) -> NDArray[np.bool_]:
        """(N,): whether any prior overlaps an object enough."""
        return self.ious.max(axis=1) >= self.match_iou

    @cached_property
    def reach(self) -> Reach:
        """Of all levels."""
        return reach(self.ious.max(axis=1), self.labels, self.match_iou)

    @cached_property
    def size_classes(self) -> dict[str, NDArray[np.bool_]]:
        """(N,) each: which objects are of it; sizes without objects are left out."""
        sides = np.sqrt((self.boxes[:, 2:] - self.boxes[:, :2]).prod(axis=1)) * self.image_size
        found = {name: (sides >= low) & (sides < high) for name, (low, high) in _SIZES.items()}
        return {name: rows for name, rows in found.items() if rows.any()}

    @cached_property
    def priors_per_object(self) -> float:
        """The median number of priors that overlap an object enough; of many objects those of some."""
        some = self.boxes[np.linspace(0, len(self.boxes) - 1, min(len(self.boxes), _COUNTED)).astype(int)]
        counts = sum(matched_counts(level, some, self.match_iou, self.clip) for level in self.levels)
        return float(np.median(counts))


def unreached(check: PriorCheck, train: Dataset) -> list[Finding]:
    """A finding where many objects are reached by no prior."""
    missed, count = int((~check.reached).sum()), len(check.boxes)
    if missed <= _MANY_UNREACHED * count:
        return []
    worst = min(check.size_classes, key=lambda name: check.reached[check.size_classes[name]].mean())
    of_it = check.reached[check.size_classes[worst]]
    text = (
        f"{missed:,} of {count:,} objects of {train.name} ({missed / count:.0%}) overlap no prior of {check.detector} "
        f"at {check.image_size} pixels by {check.match_iou:g} or more; of the {worst} ones {1 - of_it.mean():.0%}."
    )
    return [Finding("prior-unreached", text)]


def _rows(check: PriorCheck) -> list[dict[str, Any]]:
    """A row for each level, and one for all: shares of all objects and of each size that a prior of it overlaps."""
    enough = check.ious >= check.match_iou

    def shares(own: NDArray[np.bool_]) -> dict[str, str]:
        sizes = {f"{name} ({rows.sum():,})": f"{own[rows].mean():.1%}" for name, rows in check.size_classes.items()}
        return {f"all ({len(own):,})": f"{own.mean():.1%}", **sizes}

    rows = [
        {
            "level": str(number),
            "cells": f"{level.cells}x{level.cells}",
            "distance": f"{level.step * check.image_size:.0f}",
            "priors of a cell, height x width": ", ".join(
                f"{height * check.image_size:.0f}x{width * check.image_size:.0f}"
                for height, width in check.shapes[number - 1]
            ),
            **shares(enough[:, number - 1]),
        }
        for number, level in enumerate(check.levels, start=1)
    ]
    total = {"level": "any", "cells": "", "distance": "", "priors of a cell, height x width": ""}
    return [*rows, total | shares(check.reached)]


def prior_section(check: PriorCheck, folder: Path) -> list[str]:
    """Its part of the report; the picture goes into `folder`/plots."""
    picture = folder / PLOTS / "prior_shapes.png"
    prior_shapes(check.boxes, check.reached, check.shapes, check.image_size, picture)
    missed = int((~check.reached).sum())
    lines = [
        f"The priors of {check.detector} before the {len(check.boxes):,} objects of the training set, in pixels of the "
        f"network's image ({check.image_size}). A level can match an object if one of its priors, where it lies, "
        f"overlaps it by {check.match_iou:g} or more. Small is below 32 x 32 pixels there, large from 96 x 96.",
        markdown_table(_rows(check)),
        f"{missed:,} objects ({missed / len(check.boxes):.1%}) are reached by no prior: each is learnt from the one "
        f"that overlaps it most. The median object has {check.priors_per_object:g} priors; the best IoU of an object "
        f"is {check.reach.iou:.2f} on average.",
        *_fit_in_words(check),
        f"![Objects and priors](plots/{picture.name})",
    ]
    return ["## Priors", *lines]


def _fit_in_words(check: PriorCheck) -> list[str]:
    if (fit := check.fit) is None:
        return []
    ratios = "[" + ", ".join(str(list(own)) for own in fit.aspect_ratios) + "]"
    return [
        f"`detector.priors=auto` would reach, of {fit.objects:,} boxes as this augmentation leaves them, "
        f"{fit.after.recall:.1%} instead of {fit.before.recall:.1%}, as a mean over the classes "
        f"{fit.after.class_recall:.1%} instead of {fit.before.class_recall:.1%}, with a mean of the best IoU of "
        f"{fit.after.iou:.2f} instead of {fit.before.iou:.2f}: `detector.scales={list(fit.scales)}` "
        f"`detector.aspect_ratios={ratios}`."
    ]


def priors_as_json(check: PriorCheck) -> dict[str, Any]:
    """The numbers of the report."""
    enough = check.ious >= check.match_iou
    return {
        "detector": check.detector,
        "match_iou": check.match_iou,
        "objects": len(check.boxes),
        **asdict(check.reach),
        "priors_per_object": check.priors_per_object,
        "by_level": [
            {"cells": level.cells, "recall": float(enough[:, k].mean())} for k, level in enumerate(check.levels)
        ],
        "by_size": {
            name: {"objects": int(rows.sum()), "recall": float(check.reached[rows].mean())}
            for name, rows in check.size_classes.items()
        },
        "auto": asdict(check.fit) if check.fit is not None else None,
    }
