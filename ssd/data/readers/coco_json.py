"""Images and a COCO instances JSON (https://cocodataset.org/#format-data)."""

import json
import logging
import math
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.images import ImageFiles
from ssd.data.kept import Parsed, kept
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.readers.coco_blocks import Block, blocks, decoded, plain_images, plain_objects, split_entries
from ssd.data.readers.coco_fields import Fields
from ssd.data.readers.files import FilesIn
from ssd.data.readers.json_file import read_json
from ssd.data.readers.names import check_class_names, check_file_name
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError

log = logging.getLogger(__name__)


def coco_json(
    train_annotations: str, train_images: str, val_annotations: str, val_images: str, name: str = "coco_json"
) -> Splits:
    """Reads two COCO instances files; images only when asked for.

    Category ids may have gaps: label k is the category with the k-th smallest id. `iscrowd` and `area` are kept.
    A box is x, y, width, height in continuous pixels. The sizes of the images are those in the JSON.

    Args:
        train_annotations, val_annotations: JSON files.
        train_images, val_images: folders that hold their images.
        name: of the data set, for people.

    Raises:
        UserError: a file is missing or contradictory, or the two files have different categories.
    """
    train = _read(Path(train_annotations).expanduser(), Path(train_images).expanduser(), "train", name)
    val = _read(Path(val_annotations).expanduser(), Path(val_images).expanduser(), "val", name)
    if train.class_names != val.class_names:
        odd = sorted(set(train.class_names) ^ set(val.class_names)) or ["their order"]
        raise UserError(
            f"{train_annotations} and {val_annotations} have different categories ({', '.join(odd[:5])}): both need "
            "the same ids and names."
        )
    return Splits(train, val)


def _read(path: Path, folder: Path, split: str, name: str) -> Dataset:
    if path.exists() and not path.is_file():
        raise UserError(f"The annotations {path} are a folder, not a file: give the JSON file in it.")
    found = kept(["coco_json", str(path)], [path], partial(_parsed, path))
    if not folder.is_dir():
        raise UserError(f"dataset.{split}_images={folder} is not a folder: give the one that holds the images.")
    annotations = found.parts["all"]
    files = _existing(folder, annotations.ids, path)
    return Dataset(f"{name}:{split}", found.class_names, annotations, ImageFiles(files))


def _parsed(path: Path) -> Parsed:
    content = _load(path)
    fields = Fields(path)
    labels, class_names = _categories(content["categories"], fields)
    ids, sizes, rows = _images(content["images"], fields)
    objects, numbers = _objects(content["annotations"], fields, rows, labels)
    fields.say_text()

    def describe(i: int) -> str:
        return f"annotation {numbers[i]} ({class_names[objects.label[i]]}, image {ids[objects.image[i]]}) in {path}"

    return Parsed(class_names, {"all": build_annotations(ids, sizes, objects, describe, str(path))})


def _load(path: Path) -> Mapping[str, list[Any]]:
    """The file's lists, see `split_entries`; of a file that is not plain with all of its entries decoded."""
    content = read_json(path, lambda data: split_entries(data) or json.loads(data))
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UserError(f"{path} is not a COCO instances file: it needs the lists {', '.join(keys)}.")
    if not content["images"]:
        raise UserError(f"{path} lists no images: a split needs at least one.")
    return content


def _categories(categories: list[Any], fields: Fields) -> tuple[dict[int, int], tuple[str, ...]]:
    """Category id → label, and the names in the order of the ids."""
    names: dict[int, str] = {}
    for category in categories:
        number, name = fields.whole(category, "id", "category"), fields.value(category, "name", "category")
        name = str(name) if isinstance(name, int | float) and not isinstance(name, bool) else name
        check_class_names([name], str(fields.path))
        if number in names or name in names.values():
            raise UserError(
                f"{fields.path} has two categories with the id {number} or the name {name}: it needs no id or name of "
                "a category twice."
            )
        names[number] = name
    if not names:
        raise UserError(f"{fields.path} needs at least one category.")
    return {number: label for label, number in enumerate(sorted(names))}, tuple(names[i] for i in sorted(names))


def _images(images: Sequence[Any], fields: Fields) -> tuple[list[str], list[tuple[int, int]], dict[int, int]]:
    """File names, sizes (height, width) and image id → row."""
    ids: list[str] = []
    sizes: list[tuple[int, int]] = []
    rows: dict[int, int] = {}
    for block in blocks(images):
        names, sides, numbers = plain_images(block) or _images_by_entry(decoded(block, fields.path), fields)
        for row, number in enumerate(numbers, start=len(ids)):
            if number in rows:
                twice = [*ids, *names]
                raise UserError(
                    f"{fields.path} has two images with the id {number}, {twice[rows[number]]} and {twice[row]}: ids "
                    "are unique."
                )
            rows[number] = row
        ids += names
        sizes += sides
    return ids, sizes, rows


def _images_by_entry(images: Sequence[Any], fields: Fields) -> tuple[list[str], list[tuple[int, int]], list[int]]:
    where = f"{fields.path} has the file_name"
    names = [check_file_name(fields.value(image, "file_name", "image"), where) for image in images]
    sizes = [(fields.side(image, "height"), fields.side(image, "width")) for image in images]
    return names, sizes, [fields.whole(image, "id", "image") for image in images]


def _objects(
    annotations: Sequence[Any], fields: Fields, rows: dict[int, int], labels: dict[int, int]
) -> tuple[Objects, list[Any]]:
    """All objects and their annotation ids. Boxes without width or height are left out, counted in one warning.

    COCO's own files have a few of those, which no detector can find; its evaluation gives them an area of 0 too.
    """
    objects, position = Objects(), 0
    numbers: list[Any] = []
    empty: list[Any] = []
    given: list[Any] = []
    for entries in blocks(annotations):
        block = plain_objects(entries, rows, labels)
        if block is None:
            items = decoded(entries, fields.path)
            block = _objects_by_entry(items, position, fields, rows, labels)
            given += [item["id"] for item in items if "id" in item]
        else:
            given += block.numbers
        position += len(entries)
        x, y, width, height = np.array(block.bbox, np.float64).T
        kept = (width != 0) & (height != 0)
        with np.errstate(invalid="ignore"):  # infinite ones are refused later, by name
            corners = np.stack([y, x, y + height, x + width], axis=1)
        columns = block.image, corners, block.label, block.crowd, block.area
        objects.extend(*(np.asarray(column)[kept] for column in columns))
        for number, is_kept in zip(block.numbers, kept.tolist(), strict=True):
            (numbers if is_kept else empty).append(number)
    warn_of_empty(str(fields.path), "annotations ", empty)
    _warn_of_repeated_ids(given, fields.path)
    return objects, numbers


def _objects_by_entry(
    items: Sequence[Any], position: int, fields: Fields, rows: dict[int, int], labels: dict[int, int]
) -> Block:
    block = Block([], [], [], [], [], [])
    for place, item in enumerate(items, start=position):
        block.bbox.append(fields.bbox(item))
        number = item.get("id", f"at position {place}")
        row = rows.get(fields.whole(item, "image_id", "annotation"))
        label = labels.get(fields.whole(item, "category_id", "annotation"))
        if row is None or label is None:
            key = "image_id" if row is None else "category_id"
            raise UserError(
                f"Annotation {number} in {fields.path} has the {key} {item[key]}, which the file does not list."
            )
        block.numbers.append(number)
        block.image.append(row)
        block.label.append(label)
        is_empty = 0 in block.bbox[-1][2:]  # and left out, whatever else it says
        block.crowd.append(not is_empty and fields.is_crowd(item))
        block.area.append(math.nan if is_empty else fields.area(item))
    return block


def _warn_of_repeated_ids(numbers: list[Any], path: Path) -> None:
    if all(type(number) is int for number in numbers) and len(set(numbers)) == len(numbers):
        return
    seen: set[str] = set()
    twice = [number for number in map(str, numbers) if number in seen or seen.add(number)]  # type: ignore[func-returns-value]
    if twice:
        log.warning("%s: %d annotations have the id of another one; the first is %.80s.", path, len(twice), twice[0])


def _existing(folder: Path, ids: Sequence[str], path: Path) -> FilesIn:
    """The image files, each known to exist. One listing of the folder is much faster than a question per image."""
    try:
        present = set(os.listdir(folder))
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be listed ({error.strerror}): check its rights.") from None
    missing = [i for i in ids if i not in present and not (folder / i).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
        raise UserError(f"{path} lists {missing[0]}{more}, not found in {folder}: check the folder of the images.")
    return FilesIn(folder, ids)
