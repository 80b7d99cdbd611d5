"""Data sets prepared by tensorflow-datasets as array_record files: preparing once, reading at random."""

import contextlib
import io
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import absl.logging
import tensorflow_datasets as tfds

from ssd.data.annotations import Objects, build_annotations
from ssd.data.images import encoded_size
from ssd.data.sample import Dataset


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


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps tensorflow-datasets from speaking of a download and of custom configurations where there is neither."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()
        absl.logging.set_verbosity(verbosity)


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


def read_dataset(name: str, class_names: Sequence[str], sources: Sequence[Any], first_pixel: int) -> Dataset:
    """One data set of several sources put one after another; all annotations are read now.

    Args:
        name: of the data set, for people.
        class_names: in label order.
        sources: records with `image` (encoded bytes), `image/filename` and `objects` of `bbox`, `label` and, where the
            format has it, `is_difficult`: the features of tensorflow-datasets' `voc`.
        first_pixel: the number the format gives to the first pixel. 1 moves the minima of all boxes by one pixel.
    """
    ids: list[str] = []
    sizes: list[tuple[int, int]] = []
    objects = Objects()
    for record in (source[i] for source in sources for i in range(len(source))):
        file_name = record["image/filename"].decode()
        height, width = encoded_size(record["image"], file_name)
        found = record["objects"]
        flags = found.get("is_difficult", [False] * len(found["label"]))
        for box, label, difficult in zip(found["bbox"], found["label"], flags, strict=True):
            ymin, xmin, ymax, xmax = (float(value) for value in box)
            pixels = (ymin * height - first_pixel, xmin * width - first_pixel, ymax * height, xmax * width)
            objects.add(len(ids), pixels, int(label), difficult=bool(difficult))
        ids.append(file_name)
        sizes.append((height, width))

    def describe(i: int) -> str:
        return f"an object ({class_names[objects.label[i]]}) in {ids[objects.image[i]]}"

    annotations = build_annotations(ids, sizes, objects, describe, name)
    return Dataset(name, tuple(class_names), annotations, EncodedImages(sources))
