"""Images that are there several times, as the same file or looking alike, in one split or in both."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.folder.likeness import directions
from ssd.data.look import Look
from ssd.data.sample import Dataset
from ssd.inspection.alignment import aligned_likeness, small
from ssd.inspection.finding import Finding, Shown
from ssd.inspection.pictures import as_pixels

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


class _Picture(NamedTuple):
    """One image of a split."""

    dataset: Dataset
    row: int
    look: Look

    @property
    def where(self) -> str:
        return self.dataset.where(self.row)

    @property
    def shown(self) -> Shown:
        return Shown(self.dataset.name, self.row)


def check_duplicates(datasets: Sequence[Dataset], looks: Sequence[Sequence[Look]]) -> list[Finding]:
    """Findings on pairs of images, each image beside the first that is like it.

    Args:
        datasets: the splits.
        looks: one for each of their images.
    """
    pictures = [
        _Picture(dataset, i, look)
        for dataset, found in zip(datasets, looks, strict=True)
        for i, look in enumerate(found)
        if look.thumbnail
    ]
    groups = defaultdict[str, list[_Picture]](list)
    for picture in pictures:
        groups[picture.look.digest].append(picture)
    findings = [_same(group[0], other) for group in groups.values() for other in group[1:]]
    for one, other, how, likeness in _alike([group[0] for group in groups.values()]):
        across = one.dataset is not other.dataset
        text = f"{other.where} looks like {one.where}{how} (correlation {likeness:.3f})."
        kind = "near-duplicate-across-splits" if across else "near-duplicate"
        findings.append(Finding(kind, text, other.where, shown=(one.shown, other.shown)))
    return findings


def _same(one: _Picture, other: _Picture) -> Finding:
    shown = (one.shown, other.shown)
    if one.dataset is not other.dataset:
        same_file = one.where == other.where
        kind = "image-in-both-splits" if same_file else "duplicate-across-splits"
        text = "is in both splits" if same_file else f"has the content of {one.where} of {one.dataset.name}"
        return Finding(kind, f"{other.where} {text}.", other.where, shown=shown)
    mine, theirs = (picture.dataset.annotations[picture.row] for picture in (one, other))
    same = np.array_equal(mine.boxes, theirs.boxes) and np.array_equal(mine.labels, theirs.labels)
    text = f"{other.where} has the content of {one.where}{'' if same else ', and other objects'}."
    return Finding("duplicate" if same else "duplicate-annotated-otherwise", text, other.where, shown=shown)


def _alike(pictures: Sequence[_Picture]) -> Iterator[tuple[_Picture, _Picture, str, float]]:
    """Each picture that looks like an earlier one: that one, it, in which way, and the correlation."""
    straight, kept = _directions(pictures)
    mirrored = straight.reshape(-1, _SIDE, _SIDE)[:, :, ::-1].reshape(straight.shape)
    best, likest = _likest(straight, straight)
    turned, likest_turned = _likest(straight, mirrored)
    for row in np.flatnonzero(np.maximum(best, turned) >= _PERHAPS).tolist():
        picture = pictures[kept[row]]
        is_mirrored = bool(turned[row] > best[row])
        other = pictures[kept[(likest_turned if is_mirrored else likest)[row]]]
        how, likeness = " mirrored" if is_mirrored else "", float(max(best[row], turned[row]))
        if likeness >= _ALIKE:
            yield other, picture, how, likeness
        elif (aligned := _laid_over(picture, other, is_mirrored)) >= _ALIGNED:
            yield other, picture, f"{how} and cut", aligned


def _likest(rows: NDArray[np.float32], others: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(K,) the largest correlation of each row with an earlier one of the others, -1 for the first, and which it is."""
    found, which = np.full(len(rows), -1.0, np.float32), np.zeros(len(rows), np.int64)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        for first in range(0, start + 1, _BLOCK):
            likeness = rows[block] @ others[first : first + _BLOCK].T
            if first == start:
                likeness[np.triu_indices(len(likeness))] = -1  # itself and later ones
            top = likeness.argmax(axis=1)
            value = likeness[np.arange(len(likeness)), top]
            which[block] = np.where(value > found[block], top + first, which[block])
            found[block] = np.maximum(found[block], value)
    return found, which


def _laid_over(one: _Picture, other: _Picture, is_mirrored: bool) -> float:
    picture = small(one.dataset, one.row)
    return aligned_likeness(small(other.dataset, other.row), picture[:, ::-1].copy() if is_mirrored else picture)


def _directions(pictures: Sequence[_Picture]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(K, 256) unit vectors of the thumbnails that have contrast, and which these are."""
    pixels = np.stack([as_pixels(picture.look) for picture in pictures]) if pictures else np.zeros((0, 256), np.float32)
    kept = np.flatnonzero(pixels.std(axis=1) >= _LEAST_CONTRAST)
    return directions(pixels[kept]), kept
