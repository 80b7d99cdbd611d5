"""Data sets prepared by tensorflow-datasets as array_record files: preparing once, reading at random."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import tensorflow_datasets as tfds


def prepared(make: Callable[[], tfds.core.DatasetBuilder], config: tfds.download.DownloadConfig | None = None) -> Any:
    """The builder that `make` gives, with its files on disk.

    tensorflow-datasets writes into a folder of a random name and renames it at the end, so a killed preparation
    leaves no half data set. Two processes may prepare at once (the jobs of a sweep): the second rename then fails,
    and the other's files are as good.
    """
    builder = make()
    try:
        builder.download_and_prepare(download_config=config)
    except OSError:
        builder = make()
        if not builder.is_prepared():
            raise
    return builder


def encoded_source(builder: tfds.core.DatasetBuilder, split: str) -> Any:
    """Random access to a split, `source[i] -> dict`, with `image` as the encoded bytes of the image file."""
    return builder.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})


class EncodedImages:
    """Reads the encoded image `index` of several sources put one after another: the `read` of a data set."""

    def __init__(self, sources: Sequence[Any]) -> None:
        self._sources = list(sources)
        self._ends = list(accumulate(len(source) for source in self._sources))

    def __call__(self, index: int) -> bytes:
        """Raises IndexError outside 0 ... len - 1."""
        if not 0 <= index < self._ends[-1]:
            raise IndexError(index)
        part = bisect_right(self._ends, index)
        start = self._ends[part - 1] if part else 0
        return self._sources[part][index - start]["image"]
