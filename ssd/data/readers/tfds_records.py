"""Data sets that tensorflow-datasets has prepared, read at random."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from ssd.data.annotations import Annotations
from ssd.data.images import encoded_size
from ssd.data.kept import Parsed, kept
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.sample import Dataset
from ssd.errors import UserError, first_line


def encoded_records(builder: tfds.core.DatasetBuilder, split: str) -> Any:
    """Random access to a split, `records[i] -> dict`, with `image` as the encoded bytes of the image file.

    Raises:
        UserError: a slice that cannot be read, or that is empty.
    """
    try:
        return builder.as_data_source(split=split, decoders={"image": tfds.decode.SkipDecoding()})
    except ValueError as error:
        raise UserError(
            f"The split {split} of {builder.info.full_name} cannot be read: {first_line(error)}."
        ) from error


class EncodedImages:
    """Reads the encoded image `index` of several parts put one after another: the `read` of a data set."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = list(parts)
        self._ends = list(accumulate(len(part) for part in self._parts))

    def __call__(self, index: int) -> bytes:
        """Raises IndexError outside 0 ... len - 1."""
        if not 0 <= index < self._ends[-1]:
            raise IndexError(index)
        part = bisect_right(self._ends, index)
        start = self._ends[part - 1] if part else 0
        return self._parts[part][index - start]["image"]


def read_dataset(
    name: str,
    class_names: Sequence[str],
    parts: Sequence[tuple[tfds.core.DatasetBuilder, str]],
    first_pixel: int,
    leave_out_empty: bool = False,
) -> Dataset:
    """One data set of several parts put one after another; all annotations are read now.

    Args:
        name: of the data set, for people.
        class_names: in label order.
        parts: prepared builders and a split of each, see `encoded_records`. Their records have `image` (encoded
            bytes), `image/filename` and `objects` of `bbox` and `label`, and where the format has them `is_difficult`,
            `is_crowd`, `area` (in pixels) and `id`: the features of tensorflow-datasets' `voc` and `coco`.
        first_pixel: the number the format gives to the first pixel. 1 moves the minima of all boxes by one pixel.
        leave_out_empty: boxes without width or height are left out and counted in one warning, else refused.
    """
    records = [encoded_records(builder, split) for builder, split in parts]
    splits = [split for _, split in parts]
    settings = ["tensorflow-datasets", name, list(class_names), splits, first_pixel, leave_out_empty]
    found = kept(
        settings,
        [Path(builder.data_path) for builder, _ in parts],
        lambda: Parsed(
            tuple(class_names), {"all": _annotations(name, class_names, records, first_pixel, leave_out_empty)}
        ),
    )
    return Dataset(name, tuple(class_names), found.parts["all"], EncodedImages(records))


def _annotations(
    name: str, class_names: Sequence[str], parts: Sequence[Any], first_pixel: int, leave_out_empty: bool
) -> Annotations:
    ids: list[str] = []
    sizes: list[tuple[int, int]] = []
    objects, numbers, empty = Objects(), [], []
    for record in (part[i] for part in parts for i in range(len(part))):
        file_name = record["image/filename"].decode()
        height, width = encoded_size(record["image"], file_name)
        for number, box, label, difficult, crowd, area in _objects(record["objects"]):
            ymin, xmin, ymax, xmax = (float(value) for value in box)
            pixels = (ymin * height - first_pixel, xmin * width - first_pixel, ymax * height, xmax * width)
            if leave_out_empty and (pixels[0] == pixels[2] or pixels[1] == pixels[3]):
                empty.append(f"{number} in {file_name}")
                continue
            objects.add(len(ids), pixels, label, difficult, crowd, area)
            numbers.append(number)
        ids.append(file_name)
        sizes.append((height, width))
    warn_of_empty(name, "", empty)

    def describe(i: int) -> str:
        return f"{numbers[i]} ({class_names[objects.label[i]]}) in {ids[objects.image[i]]}"

    return build_annotations(ids, sizes, objects, describe, name)


def _objects(found: Mapping[str, Any]) -> Iterator[tuple[str, Any, int, bool, bool, float]]:
    """What the user knows an object by, its normalised box as stored, label, difficult, crowd and area (NaN: none)."""
    count = len(found["label"])
    numbers = [f"annotation {number}" for number in found["id"]] if "id" in found else ["an object"] * count
    none = np.zeros(count, np.bool_)
    columns = found["label"], found.get("is_difficult", none), found.get("is_crowd", none), found.get("area", none)
    for number, box, label, difficult, crowd, area in zip(numbers, found["bbox"], *columns, strict=True):
        yield number, box, int(label), bool(difficult), bool(crowd), float(area) or float("nan")
