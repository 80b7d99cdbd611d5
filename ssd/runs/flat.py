"""A nested configuration as keys and texts, where configurations are compared or recorded."""

import json
from collections.abc import Mapping
from typing import Any


def flatten(config: Mapping[Any, Any], prefix: str = "") -> dict[str, str]:
    """Nested mappings as `a.b` -> text, the way a user would type it: null, true, 0.001, [1, 2].

    >>> flatten({"optimizer": {"learning_rate": 0.001, "nesterov": False}})
    {'optimizer.learning_rate': '0.001', 'optimizer.nesterov': 'false'}
    """
    flat: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = dict(enumerate(value))
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value if isinstance(value, str) else json.dumps(value, default=str)
    return flat
