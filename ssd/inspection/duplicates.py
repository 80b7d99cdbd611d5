"""Images that are there several times, as the same file or looking alike, in one split or in both."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.alignment import small
from ssd.data.alike import alike
from ssd.data.look import Look
from ssd.data.sample import Dataset
from ssd.inspection.finding import Finding, Shown
from ssd.inspection.pictures import as_pixels


class _Picture(NamedTuple):
    """One image of a split."""

    dataset: Dataset
    row: int
    look: Look

    @property
    def where(self) -> str:
        return self.dataset.where(self.row)

    def small(self) -> NDArray[np.float32]:
        return small(self.dataset.read(self.row), self.where, self.dataset.max_pixels)

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
    unlike = [group[0] for group in groups.values()]
    for found in alike(_thumbnails(unlike), lambda i: unlike[i].small()):
        one, other = unlike[found.earlier], unlike[found.row]
        across = one.dataset is not other.dataset
        how = f"{' mirrored' * found.mirrored}{' and cut' * found.cut}"
        text = f"{other.where} looks like {one.where}{how} (correlation {found.likeness:.3f})."
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


def _thumbnails(pictures: Sequence[_Picture]) -> NDArray[np.float32]:
    """(N, 256) grey pixels."""
    return np.stack([as_pixels(picture.look) for picture in pictures]) if pictures else np.zeros((0, 256), np.float32)
