"""Annotations as plain arrays, in which they lie in files."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.annotations import Annotations

_COLUMNS = ("sizes", "starts", "boxes", "labels", "difficult", "crowd", "areas")


def texts_as_array(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Texts without a NUL as one array of bytes."""
    return np.frombuffer("\0".join(texts).encode("utf-8", "surrogatepass"), np.uint8)


def texts_in(array: NDArray[np.uint8]) -> list[str]:
    """The texts of `texts_as_array`.

    Raises:
        ValueError: they are none.
    """
    text = array.tobytes().decode("utf-8", "surrogatepass")
    return text.split("\0") if text else []


def as_arrays(annotations: Annotations, prefix: str) -> dict[str, NDArray[Any]]:
    """Name → array, all names with the prefix."""
    columns = {f"{prefix}{name}": getattr(annotations, name) for name in _COLUMNS}
    return {f"{prefix}ids": texts_as_array(annotations.ids), **columns}


def annotations_in(arrays: Mapping[str, Any], prefix: str, classes: int) -> Annotations:
    """The annotations of `as_arrays`, of which nothing points outside.

    Args:
        arrays: name → array, of a file.
        prefix: of the names.
        classes: how many there are.

    Raises:
        KeyError, ValueError: something is missing, or is not what belongs there.
    """
    columns = [arrays[prefix + name] for name in _COLUMNS]
    found = Annotations(texts_in(arrays[f"{prefix}ids"]), *columns)
    found.check(classes)
    return found
