"""A COCO instances file in little memory: its entries are decoded some thousands at a time, and polygons never.

Blocks in which every entry is as it should be, those of nearly every file, are taken as they are. For any other, and
for a file that the decoder refuses, there is the way entry by entry of `coco_json`, which knows what to say.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ssd.data.readers.coco_fields import LONGEST_SIDE, MOST_EXACT
from ssd.data.readers.names import is_plain_file_name
from ssd.errors import UserError

_ENTRIES = 10_000


class _File(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]
    categories: list[Any]


class _Image(msgspec.Struct, gc=False):
    id: int
    file_name: str
    height: int
    width: int


class _Object(msgspec.Struct, gc=False):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int | bool | None = None


_decode_images = msgspec.json.Decoder(list[_Image]).decode
_decode_objects = msgspec.json.Decoder(list[_Object]).decode


@dataclass(frozen=True)
class Block:
    """Some annotations as columns of one length: ids, image rows, labels, x, y, width, height, crowd flags, areas."""

    numbers: list[Any]
    image: list[int]
    label: list[int]
    bbox: list[tuple[float, float, float, float]]
    crowd: list[bool]
    area: list[float]

    def append(
        self, number: Any, image: int, label: int, bbox: tuple[float, float, float, float], crowd: bool, area: float
    ) -> None:
        """One annotation more."""
        columns: list[list[Any]] = [self.numbers, self.image, self.label, self.bbox, self.crowd, self.area]
        for column, value in zip(columns, (number, image, label, bbox, crowd, area), strict=True):
            column.append(value)


def split_entries(content: bytes) -> Mapping[str, list[Any]] | None:
    """The file's three lists, those of images and annotations with their entries undecoded; None: not a plain file."""
    try:
        found = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return {"images": found.images, "annotations": found.annotations, "categories": found.categories}


def blocks(entries: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Some thousands of entries at a time."""
    for start in range(0, len(entries), _ENTRIES):
        yield entries[start : start + _ENTRIES]


def decoded(block: Sequence[Any], path: Path) -> list[Any]:
    """The entries of a block, as `json` gives them."""
    try:
        return [json.loads(bytes(item)) if isinstance(item, msgspec.Raw) else item for item in block]
    except ValueError as error:  # in what `split_entries` need not look at
        raise UserError(
            f"The annotations {path} are not readable JSON ({error}): correct or copy the file again."
        ) from None


def plain_images(block: Sequence[Any]) -> tuple[list[str], list[tuple[int, int]], list[int]] | None:
    """File names, sizes (height, width) and ids of a block of images; None where one of them is not plain."""
    if (found := _found(_decode_images, block)) is None:
        return None
    is_plain = all(
        1 <= item.height <= LONGEST_SIDE
        and 1 <= item.width <= LONGEST_SIDE
        and abs(item.id) <= MOST_EXACT
        and is_plain_file_name(item.file_name)
        for item in found
    )
    if not is_plain:
        return None
    return [item.file_name for item in found], [(i.height, i.width) for i in found], [item.id for item in found]


def plain_objects(block: Sequence[Any], rows: Mapping[int, int], labels: Mapping[int, int]) -> Block | None:
    """A block of annotations; None where one of them is not plain.

    Args:
        block: entries, undecoded.
        rows: image id → row.
        labels: category id → label.
    """
    if (found := _found(_decode_objects, block)) is None:
        return None
    image, label = [rows.get(item.image_id) for item in found], [labels.get(item.category_id) for item in found]
    area, crowd = [item.area or math.nan for item in found], {item.iscrowd for item in found}
    if None in image or None in label or any(value < 0 for value in area) or not crowd <= {0, 1, None}:
        return None
    numbers, bbox = [item.id for item in found], [item.bbox for item in found]
    return Block(numbers, image, label, bbox, [bool(item.iscrowd) for item in found], area)  # type: ignore[arg-type]


def _found(decode: Callable[[bytes], list[Any]], block: Sequence[Any]) -> list[Any] | None:
    if not isinstance(block[0], msgspec.Raw):
        return None
    try:
        return decode(b"[" + b",".join(block) + b"]")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
