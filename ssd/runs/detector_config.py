"""The settings of a detector as its checkpoint has them, which may come from a stranger: what each may be.

Nothing heavy is imported. What is wrong with them is a ValueError that says so. The ranges are those of the commands
(`ssd.cli.ranges`), so that what a command has written can be read.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

_MOST_DETECTIONS = 100_000  # per class into NMS, and per image out of it
_MOST_IN_EXTRAS = 2**16
_MOST_NAMES = 10_000
_MOST_LEVELS = 32

Rule = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(least: int, most: int) -> Rule:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _numbers(value: Any, most: int) -> bool:
    return isinstance(value, list) and len(value) <= most and all(map(_is_number, value)) and min(value, default=1) > 0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


def _names(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= _MOST_NAMES and all(map(_text, value))


_EXTRA: dict[str, Rule] = {
    "squeeze": _whole(1, _MOST_IN_EXTRAS),
    "filters": _whole(1, _MOST_IN_EXTRAS),
    "kernel": _whole(1, _MOST_IN_EXTRAS),
    "stride": _whole(1, _MOST_IN_EXTRAS),
    "padding": _whole(0, _MOST_IN_EXTRAS),
}
_PRIORS: dict[str, Rule] = {
    "scales": lambda v: _numbers(v, _MOST_LEVELS + 1) and all(a < b for a, b in pairwise(v)),
    "aspect_ratios": lambda v: (
        isinstance(v, list) and len(v) <= _MOST_LEVELS and all(_numbers(ratios, _MOST_LEVELS) for ratios in v)
    ),
    "steps": lambda v: v in ("stride", "feature_map"),
    "clip": _flag,
}
_NMS: dict[str, Rule] = {
    "score_threshold": _share,
    "iou": _share,
    "max_per_class": _whole(1, _MOST_DETECTIONS),
    "max_detections": _whole(1, _MOST_DETECTIONS),
}
_DETECTOR: dict[str, Rule] = {
    "name": _text,
    "backbone": lambda v: isinstance(v, dict),  # for `keras_config`
    "class_names": _names,
    "extras": lambda v: isinstance(v, list) and len(v) <= _MOST_LEVELS,
    "priors": lambda v: isinstance(v, dict),
    "variances": lambda v: _numbers(v, 4) and len(v) == 4,
    "separable": _flag,
    "nms": lambda v: isinstance(v, dict),
    "batch_norm": _flag,
}
_LATER = {"batch_norm": False}  # settings that older checkpoints lack, and what they stand for


def check_detector(settings: dict[str, Any]) -> None:
    """Refuses settings that no detector has.

    Args:
        settings: of a checkpoint's configuration, as `SSD.get_config` gives them.

    Raises:
        ValueError: naming the setting.
    """
    _check(_LATER | settings, _DETECTOR, "")
    _check(settings["priors"], _PRIORS, "priors.")
    _check(settings["nms"], _NMS, "nms.")
    for index, extra in enumerate(settings["extras"]):
        if not isinstance(extra, dict):
            raise ValueError(f"its extras[{index}] is no level")
        _check(extra, _EXTRA, f"extras[{index}].")


def _check(values: dict[str, Any], rules: dict[str, Rule], place: str) -> None:
    if unknown := [key for key in values if key not in rules]:
        raise ValueError(f"its detector has a setting {place}{unknown[0][:80]!r}, which none has")
    for key, holds in rules.items():
        if key not in values:
            raise ValueError(f"its detector has no {place}{key}")
        if not holds(values[key]):
            shown = repr(values[key])
            raise ValueError(
                f"its detector has {place}{key}={shown if len(shown) <= 80 else f'{shown[:80]}…'}, out of range"
            )
