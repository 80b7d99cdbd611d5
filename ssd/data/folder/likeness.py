"""Which images show nearly the same: frames of one film, copies of one picture. They belong in one part of a split."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.data.folder.places import folded
from ssd.data.images import thumbnail
from ssd.errors import UserError

# Correlation of two thumbnails: of photographs of cards the pairs from here on that were looked at are bursts, frames
# and copies.
ALIKE = 0.95
_SIDE = 16
_BLOCK = 1 << 24  # correlations at a time


def groups_of(places: Sequence[str], read: Callable[[int], bytes]) -> NDArray[np.int64]:
    """(N,) the number of each image's group; alone in one where no other is like it.

    Two images are in one group where Roboflow made them of one picture (`NAME.rf.…`), or grey thumbnails of 16 x 16
    pixels correlate by `ALIKE`, each less its mean; brightness and contrast make no difference.

    Args:
        places: of the images, which their names are taken from.
        read: gives the encoded image of a row.
    """
    groups = np.arange(len(places))
    first: dict[str, int] = {}
    for row, place in enumerate(places):
        name, mark, _ = folded(place.rpartition("/")[2]).partition(".rf.")
        if mark:
            groups[row] = first.setdefault(name, row)
    with ThreadPoolExecutor(available_cores()) as pool:
        thumbnails = directions(np.stack(list(pool.map(lambda row: _pixels(read(row)), range(len(places))))))
    step = max(_BLOCK // len(places), 1)
    for start in range(0, len(places), step):
        alike = thumbnails[start : start + step] @ thumbnails.T >= ALIKE
        for offset in np.flatnonzero(alike.sum(axis=1) > 1).tolist():
            members = np.flatnonzero(alike[offset])
            numbers = groups[members]
            if (numbers != numbers[0]).any():
                groups[np.isin(groups, numbers)] = numbers.min()
    return groups


def directions(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, P) grey pixels → each less its mean and of length 1, so that a product is a correlation.

    Zeros for what is of one colour.
    """
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1)


def _pixels(encoded: bytes) -> NDArray[np.float32]:
    """(256,) of a thumbnail; zeros for what is damaged."""
    try:
        return thumbnail(encoded, "").astype(np.float32).ravel()
    except UserError:
        return np.zeros(_SIDE * _SIDE, np.float32)
