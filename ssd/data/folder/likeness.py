"""Which images show nearly the same: frames of one film, copies of one picture. They belong in one part of a split."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.data.alignment import small
from ssd.data.alike import alike, directions
from ssd.data.folder.places import folded
from ssd.data.images import thumbnail
from ssd.errors import UserError

# Correlation of two thumbnails: of photographs of cards the pairs from here on that were looked at are bursts, frames
# and copies.
ALIKE = 0.95
_SIDE = 16
_BLOCK = 1 << 24  # correlations at a time


class Likeness:
    """What the images of a set have in common.

    Args:
        places: of the images, which their names are taken from.
        read: gives the encoded image of a row.
    """

    def __init__(self, places: Sequence[str], read: Callable[[int], bytes]) -> None:
        self._places = places
        self._read = read
        with ThreadPoolExecutor(available_cores()) as pool:
            self._thumbnails = np.stack(list(pool.map(lambda row: _pixels(read(row)), range(len(places)))))

    def groups(self) -> NDArray[np.int64]:
        """(N,) the number of each image's group; alone in one where no other is like it.

        Two images are in one group where Roboflow made them of one picture (`NAME.rf.…`), or grey thumbnails of
        16 x 16 pixels correlate by `ALIKE`, each less its mean; brightness and contrast make no difference.
        """
        groups = np.arange(len(self._places))
        first: dict[str, int] = {}
        for row, place in enumerate(self._places):
            name, mark, _ = folded(place.rpartition("/")[2]).partition(".rf.")
            if mark:
                groups[row] = first.setdefault(name, row)
        thumbnails = directions(self._thumbnails)
        step = max(_BLOCK // len(groups), 1)
        for start in range(0, len(groups), step):
            likeness = thumbnails[start : start + step] @ thumbnails.T >= ALIKE
            for offset in np.flatnonzero(likeness.sum(axis=1) > 1).tolist():
                groups = _together(groups, np.flatnonzero(likeness[offset]))
        return groups

    def joined(self, groups: NDArray[np.int64], val: Sequence[int], everywhere: bool) -> NDArray[np.int64]:
        """The groups, those made one of which an image is like an earlier one, in the order of a split.

        By the search of `task=inspect`, which also knows what was mirrored, cut or moved.

        Args:
            groups: (N,) of the images.
            val: rows of the part to validate on, ascending; they come last.
            everywhere: compares all images with those before, not only the ones to validate on.
        """
        rest = np.setdiff1d(np.arange(len(groups)), val)
        order = np.concatenate([rest, np.asarray(val, np.int64)])
        found = alike(
            self._thumbnails[order],
            lambda i: small(self._read(order[i]), self._places[order[i]]),
            0 if everywhere else len(rest),
        )
        for pair in found:
            groups = _together(groups, order[[pair.row, pair.earlier]])
        return groups


def _together(groups: NDArray[np.int64], members: NDArray[np.int64]) -> NDArray[np.int64]:
    """With all groups of the members made one."""
    numbers = groups[members]
    if (numbers == numbers[0]).all():
        return groups
    return np.where(np.isin(groups, numbers), numbers.min(), groups)


def _pixels(encoded: bytes) -> NDArray[np.float32]:
    """(256,) of a thumbnail; zeros for what is damaged."""
    try:
        return thumbnail(encoded, "").astype(np.float32).ravel()
    except UserError:
        return np.zeros(_SIDE * _SIDE, np.float32)
