"""Which images show nearly the same: frames of one film, copies of one picture. They belong in one part of a split."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.data.folder.places import folded

# Correlation of two thumbnails: in photographs of cards bursts and frames have 0.95 and more, other pairs below 0.93.
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
        thumbnails = np.stack(list(pool.map(lambda row: _thumbnail(read(row)), range(len(places)))))
    step = max(_BLOCK // len(places), 1)
    for start in range(0, len(places), step):
        alike = thumbnails[start : start + step] @ thumbnails.T >= ALIKE
        for offset in np.flatnonzero(alike.sum(axis=1) > 1).tolist():
            members = np.flatnonzero(alike[offset])
            numbers = groups[members]
            if (numbers != numbers[0]).any():
                groups[np.isin(groups, numbers)] = numbers.min()
    return groups


def _thumbnail(encoded: bytes) -> NDArray[np.float32]:
    """(256,) of length 1, so that a product is a correlation; of zeros for what is damaged or of one colour."""
    flags = cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags) if encoded else None
    except cv2.error:
        image = None
    if image is None:
        return np.zeros(_SIDE * _SIDE, np.float32)
    small = cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1 else np.zeros_like(small)
