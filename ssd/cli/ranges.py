"""What numbers and lists of the configuration may be."""

from collections.abc import Callable
from itertools import pairwise
from math import isfinite
from typing import Any

from ssd.errors import UserError

Rule = tuple[Callable[[Any], bool], str]

_AT_LEAST_0: Rule = (lambda v: v >= 0, "must not be negative")
_AT_LEAST_1: Rule = (lambda v: v >= 1, "must be at least 1")
_MILLION: Rule = (lambda v: 1 <= v <= 1_000_000, "must be between 1 and 1000000")
_BELOW_1: Rule = (lambda v: 0 <= v < 1, "must be at least 0 and below 1")
_POSITIVE: Rule = (lambda v: v > 0, "must be greater than 0")
_SHARE: Rule = (lambda v: 0 <= v <= 1, "must be between 0 and 1")
_POSITIVE_SHARE: Rule = (lambda v: 0 < v <= 1, "must be above 0 and at most 1")
_INSIDE: Rule = (lambda v: 0 < v < 1, "must be between 0 and 1, both excluded")

# Numbers only: null (where the type allows it) and what an own YAML may put there instead are left alone.
RANGES: dict[str, Rule] = {
    "seed": (lambda v: 0 <= v < 2**32, "must be between 0 and 2**32 - 1"),
    "training.epochs": _MILLION,
    "training.minutes": (lambda v: 0 < v <= 100_000, "must be above 0 and at most 100000"),
    "training.checkpoint_minutes": (lambda v: 0 < v <= 100_000, "must be above 0 and at most 100000"),
    "training.batch_size": (lambda v: 1 <= v <= 65536, "must be between 1 and 65536"),
    "training.devices": (lambda v: 1 <= v <= 64, "must be between 1 and 64"),
    "training.micro_batches": (lambda v: 1 <= v <= 65536, "must be between 1 and 65536"),
    "training.base_batch_size": (lambda v: 1 <= v <= 65536, "must be between 1 and 65536"),
    "training.evaluate_every": _MILLION,
    "training.patience": _MILLION,
    "training.ema": _INSIDE,
    "training.limit_batches": _AT_LEAST_1,
    "pipeline.workers": (lambda v: 1 <= v <= 1024, "must be between 1 and 1024"),
    "pipeline.cache_gb": _AT_LEAST_0,
    "score_threshold": _SHARE,
    "task.pictures": (lambda v: 0 <= v <= 10_000, "must be between 0 and 10000"),
    "task.suspects": (lambda v: 0 <= v <= 10_000, "must be between 0 and 10000"),
    "task.tiles": (lambda v: 32 <= v <= 100_000, "must be between 32 and 100000 pixels"),
    "task.tile_overlap": (lambda v: 0 <= v <= 0.9, "must be between 0 and 0.9"),
    "task.calibration_images": (lambda v: 1 <= v <= 100_000, "must be between 1 and 100000"),
    "task.draws": (lambda v: 100 <= v <= 100_000, "must be between 100 and 100000"),
    "task.images": (lambda v: 1 <= v <= 10_000, "must be between 1 and 10000"),
    "task.seconds": (lambda v: 0 < v <= 3600, "must be above 0 and at most 3600"),
    "task.steps": (lambda v: 2 <= v <= 100_000, "must be between 2 and 100000"),
    "task.lowest": _POSITIVE,
    "task.highest": _POSITIVE,
    "task.port": (lambda v: 0 <= v <= 65535, "must be between 0 and 65535"),
    "backbone.alpha": (lambda v: 0 < v <= 10, "must be above 0 and at most 10"),
    "detector.image_size": (lambda v: 32 <= v <= 4096, "must be between 32 and 4096 pixels"),
    "detector.object_prior": _INSIDE,
    "detector.match_iou": _POSITIVE_SHARE,
    "detector.negative_ratio": _POSITIVE,
    "detector.box_loss_weight": _AT_LEAST_0,
    "detector.score_threshold": _SHARE,
    "detector.nms_iou": _SHARE,
    "detector.max_per_class": (lambda v: 1 <= v <= 100_000, "must be between 1 and 100000"),
    "detector.max_detections": (lambda v: 1 <= v <= 100_000, "must be between 1 and 100000"),
    "dataset.train_images": _MILLION,
    "dataset.val_images": _MILLION,
    "dataset.image_size": (lambda v: 64 <= v <= 4096, "must be between 64 and 4096 pixels to draw in"),
    # Pillow's own limit, which reads the headers
    "dataset.max_pixels": (lambda v: 1 <= v <= 178_956_970, "must be between 1 and 178956970"),
    "dataset.val_fraction": _INSIDE,
    "dataset.ignore_smaller_than": _AT_LEAST_0,
    "dataset.limit_train": _MILLION,
    "dataset.limit_val": _MILLION,
    "dataset.seed": (lambda v: 0 <= v < 2**32, "must be between 0 and 2**32 - 1"),
    "optimizer.learning_rate": _POSITIVE,
    "optimizer.momentum": _BELOW_1,
    "optimizer.beta_1": _BELOW_1,
    "optimizer.beta_2": _BELOW_1,
    "optimizer.epsilon": _POSITIVE,
    "optimizer.weight_decay": _AT_LEAST_0,
    "optimizer.global_clipnorm": _POSITIVE,
    "optimizer.backbone_rate": _POSITIVE,
    "schedule.factor": _POSITIVE_SHARE,
    "schedule.final_factor": _SHARE,
    "schedule.warmup_steps": (lambda v: 0 <= v <= 1_000_000_000, "must be between 0 and 1000000000"),
    "schedule.warmup_factor": _POSITIVE_SHARE,
}

LISTS: dict[str, Rule] = {
    "detector.scales": (lambda v: all(0 < a < b for a, b in pairwise(v)), "must be positive and grow"),
    "detector.aspect_ratios": (
        lambda v: all(ratio > 0 and ratio != 1 for ratios in v for ratio in ratios),
        "must hold positive ratios other than 1, which is always there",
    ),
    "detector.variances": (lambda v: len(v) == 4 and min(v) > 0, "must be four positive numbers"),
    "detector.extras": (
        lambda v: all(
            all(1 <= e[key] <= 65536 for key in ("squeeze", "filters", "kernel", "stride"))
            and 0 <= e["padding"] <= 65536
            for e in v
        ),
        "must have squeeze, filters, kernel and stride between 1 and 65536 and no negative padding",
    ),
    "task.batch_sizes": (lambda v: v and all(1 <= b <= 1024 for b in v), "must hold numbers between 1 and 1024"),
    "task.threads": (lambda v: v and all(t >= 1 for t in v), "must hold numbers of at least 1"),
    "schedule.boundaries": (
        lambda v: all(a < b for a, b in pairwise([0, *v, 1])),
        "must be growing fractions of the training, between 0 and 1",
    ),
    "backbone.mean": (lambda v: len(v) == 3, "must be three numbers: blue, green, red"),
    "backbone.feature_layers": (lambda v: len(v) > 0, "must name at least one layer"),
}


def value_at(values: dict[str, Any], key: str) -> Any:
    """The value at a dotted key, None where it is null or absent."""
    found: Any = values
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def check_ranges(values: dict[str, Any]) -> None:
    """Refuses the first number or list that is out of its range, and whatever is infinite or no number (nan).

    Raises:
        UserError: naming the key, its value and the rule.
    """
    _check_finite(values, "")
    for key, (holds, sentence) in RANGES.items():
        value = value_at(values, key)
        if isinstance(value, int | float) and not isinstance(value, bool) and not holds(value):
            raise UserError(f"{key}={value} {sentence}")
    for key, (holds, sentence) in LISTS.items():
        value = value_at(values, key)
        if isinstance(value, list) and not holds(value):
            raise UserError(f"{key}={value} {sentence}")


def _check_finite(value: Any, key: str) -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _check_finite(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_finite(item, f"{key}[{index}]")
    elif isinstance(value, float) and not isfinite(value):
        raise UserError(f"{key}={value} must be a finite number")
