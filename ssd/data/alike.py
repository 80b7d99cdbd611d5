"""Which images of a set look like an earlier one: saved again, made smaller or brighter, mirrored, cut or moved."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.data.alignment import aligned_likeness

# Of two thumbnails of 16 x 16, brightness and contrast set aside. Saved again, made smaller or brighter, an image
# keeps 0.99; other images of BCCD, COCO and a set of playing cards, each against all others, come to 0.96 at most.
_ALIKE = 0.97
# Larger pictures of two that are less alike are laid over each other. Copies that were cut by 2 to 6 %, mirrored and
# saved again mostly come to 0.99; other images of those three sets to 0.87.
_PERHAPS = 0.8
_ALIGNED = 0.97
_SIDE = 16  # pixels of a thumbnail
_LEAST_CONTRAST = 4.0  # grey levels of standard deviation, below which noise decides what a thumbnail is like
_BLOCK = 2048  # images compared at a time: 16 MB of float32


class Alike(NamedTuple):
    """An image that looks like an earlier one.

    Attributes:
        row, earlier: which images.
        mirrored: one of them was.
        cut: only an alignment of the two shows it.
        likeness: their correlation.
    """

    row: int
    earlier: int
    mirrored: bool
    cut: bool
    likeness: float


def alike(
    thumbnails: NDArray[np.float32], small: Callable[[int], NDArray[np.float32]], start: int = 0
) -> Iterator[Alike]:
    """Each image from `start` on whose likest earlier image shows the same.

    Args:
        thumbnails: (N, 256) grey pixels of images of 16 x 16; those without contrast are like none.
        small: gives the (64, 64) grey pixels of an image, for the few that are asked for.
        start: the first image that is compared with those before it.
    """
    kept = np.flatnonzero(thumbnails.std(axis=1) >= _LEAST_CONTRAST)
    straight = directions(thumbnails[kept])
    mirrored = straight.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(straight.shape)
    first = int(np.searchsorted(kept, start))
    best, likest = _likest(straight, straight, first)
    best_mirrored, likest_mirrored = _likest(straight, mirrored, first)

    def compared(row: int) -> Alike | None:
        is_mirrored = bool(best_mirrored[row] > best[row])
        likeness = float(max(best[row], best_mirrored[row]))
        mine, other = int(kept[row]), int(kept[(likest_mirrored if is_mirrored else likest)[row]])
        if likeness >= _ALIKE:
            return Alike(mine, other, is_mirrored, False, likeness)
        picture = small(mine)
        aligned = aligned_likeness(small(other), picture[:, ::-1].copy() if is_mirrored else picture)
        return Alike(mine, other, is_mirrored, True, aligned) if aligned >= _ALIGNED else None

    perhaps = np.flatnonzero(np.maximum(best, best_mirrored) >= _PERHAPS).tolist()
    with ThreadPoolExecutor(available_cores()) as pool:
        yield from (found for found in pool.map(compared, perhaps) if found is not None)


def directions(thumbnails: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, P) grey pixels → each less its mean and of length 1, so that a product is a correlation.

    Zeros for what is of one colour.
    """
    centred = thumbnails - thumbnails.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.divide(centred, length, out=np.zeros_like(centred), where=length > 1)


def _likest(
    rows: NDArray[np.float32], others: NDArray[np.float32], start: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(K,) the largest correlation of each row with an earlier one of the others, and which it is.

    -1 for the first, which has none, and for rows before `start`, which are not asked for.
    """
    found, which = np.full(len(rows), -1.0, np.float32), np.zeros(len(rows), np.int64)
    for begin in range(start, len(rows), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        own = np.arange(begin, min(begin + _BLOCK, len(rows)))
        for first in range(0, int(own[-1]) + 1, _BLOCK):
            likeness = rows[block] @ others[first : first + _BLOCK].T
            earlier = np.arange(first, first + likeness.shape[1])
            likeness[own[:, None] <= earlier] = -1  # itself and later ones
            top = likeness.argmax(axis=1)
            value = likeness[np.arange(len(likeness)), top]
            which[block] = np.where(value > found[block], top + first, which[block])
            found[block] = np.maximum(found[block], value)
    return found, which
