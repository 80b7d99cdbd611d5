"""Data sets of some rows of another, or of several one after another."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from ssd.data.images import ImageFiles
from ssd.data.sample import Dataset


def take(dataset: Dataset, rows: Sequence[int]) -> Dataset:
    """The images `rows` of a data set, in that order; one may be there several times."""
    return replace(
        dataset,
        annotations=[dataset.annotations[row] for row in rows],
        read=of_rows(dataset.read, rows),
        weights=None if dataset.weights is None else dataset.weights[list(rows)],
    )


def of_rows(read: Callable[[int], bytes], rows: Sequence[int]) -> Callable[[int], bytes]:
    """What reads image `rows[i]` for `i`."""
    return ImageFiles([read.paths[row] for row in rows]) if isinstance(read, ImageFiles) else _Rows(read, rows)


def concatenated(datasets: Sequence[Dataset], name: str) -> Dataset:
    """One data set of several of the same classes, one after another."""
    annotations = [item for dataset in datasets for item in dataset.annotations]
    files = [part.read.paths for part in datasets if isinstance(part.read, ImageFiles)]
    if len(files) == len(datasets):
        read: Callable[[int], bytes] = ImageFiles([path for paths in files for path in paths])
    else:
        read = _Parts([part.read for part in datasets], list(accumulate(map(len, datasets), initial=0)))
    weights = None
    if any(dataset.weights is not None for dataset in datasets):
        weights = np.concatenate([np.ones(len(part)) if part.weights is None else part.weights for part in datasets])
    return replace(datasets[0], name=name, annotations=annotations, read=read, weights=weights)


@dataclass(frozen=True)
class _Rows:
    """Reads the images of some rows."""

    read: Callable[[int], bytes]
    rows: Sequence[int]

    def __call__(self, index: int) -> bytes:
        return self.read(self.rows[index])


@dataclass(frozen=True)
class _Parts:
    """Reads the images of several data sets, which begin at `starts`."""

    reads: Sequence[Callable[[int], bytes]]
    starts: Sequence[int]

    def __call__(self, index: int) -> bytes:
        part = bisect_right(self.starts, index, hi=len(self.reads)) - 1
        return self.reads[part](index - self.starts[part])
