"""The settings of a server, with their limits. Nothing heavy is imported: they are checked before anything is."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ssd.errors import UserError


def _setting(default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of a server; the same as the keys of task=serve."""

    host: str = _setting("127.0.0.1", "address to listen at; 0.0.0.0: of every network")
    port: int = _setting(8000, "0: any that is free")
    model: str = _setting("detector", "the name of the detector in addresses: /v2/models/NAME/infer")
    batch_size: int = _setting(8, "images that pass the network together, at most")
    max_wait_ms: float = _setting(5.0, "that an image waits at most for others to pass with it")
    queue: int = _setting(64, "images that may be at work or wait; of more the answer is 503")
    max_images: int = _setting(16, "of a request")
    max_megabytes: float = _setting(32.0, "of a request")
    max_pixels: int = _setting(50_000_000, "of an image, height times width; refused before it is decoded")
    timeout: float = _setting(30.0, "seconds that a request may take, from its first byte to the answer")


_Rule = tuple[Callable[[Any], bool], str]

_RULES: dict[str, _Rule] = {
    "host": (lambda v: bool(re.fullmatch(r"[\w.:-]+", v)), "must be an address or a name of this machine"),
    "port": (lambda v: 0 <= v <= 65535, "must be between 0 and 65535"),
    "model": (lambda v: bool(re.fullmatch(r"\w[\w.-]*", v, re.ASCII)), "must be of letters, digits, dots and dashes"),
    "batch_size": (lambda v: 1 <= v <= 1024, "must be between 1 and 1024"),
    "max_wait_ms": (lambda v: 0 <= v <= 10_000, "must be between 0 and 10000"),
    "queue": (lambda v: 1 <= v <= 100_000, "must be between 1 and 100000"),
    "max_images": (lambda v: 1 <= v <= 10_000, "must be between 1 and 10000"),
    "max_megabytes": (lambda v: 0 < v <= 2000, "must be above 0 and at most 2000"),
    "max_pixels": (lambda v: 1 <= v <= 178_956_970, "must be between 1 and 178956970"),  # Pillow's own limit
    "timeout": (lambda v: 0 < v <= 3600, "must be above 0 and at most 3600 seconds"),
}


def read_settings(values: Mapping[str, Any], prefix: str = "") -> Settings:
    """The settings among `values`, which may have other keys.

    Args:
        values: by key; all of them.
        prefix: of the keys, where an error names one: `task.` or `--`.

    Raises:
        UserError: one is out of its range.
    """
    for key, (holds, sentence) in _RULES.items():
        if not holds(values[key]):
            raise UserError(f"{prefix}{key}={values[key]} {sentence}")
    if values["max_images"] > values["queue"]:
        raise UserError(
            f"{prefix}max_images={values['max_images']} are more than {prefix}queue={values['queue']}, which has to "
            "hold those of a request; lower the one or raise the other"
        )
    return Settings(**{key: values[key] for key in _RULES})
