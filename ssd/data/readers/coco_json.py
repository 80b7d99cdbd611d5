"""Images and a COCO instances JSON (https://cocodataset.org/#format-data)."""

import json
import logging
import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ssd.data.images import ImageFiles
from ssd.data.kept import Parsed, kept
from ssd.data.problems import RAISE, Problems
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.readers.coco_blocks import Block, blocks, decoded, plain_objects, split_entries
from ssd.data.readers.coco_fields import Fields
from ssd.data.readers.coco_images import Images, existing, read_images
from ssd.data.readers.json_file import read_json
from ssd.data.readers.names import check_class_names
from ssd.data.sample import Dataset, Splits
from ssd.data.suffixes import IMAGE_SUFFIXES
from ssd.errors import UserError

log = logging.getLogger(__name__)


def coco_json(
    train_annotations: str,
    train_images: str,
    val_annotations: str,
    val_images: str,
    name: str = "coco_json",
    on_error: str = RAISE,
) -> Splits:
    """Reads two COCO instances files; images only when asked for.

    Category ids may have gaps: label k is the category with the k-th smallest id. `iscrowd` and `area` are kept.
    A box is x, y, width, height in continuous pixels. The sizes of the images are those in the JSON.

    Args:
        train_annotations, val_annotations: JSON files.
        train_images, val_images: folders that hold their images.
        name: of the data set, for people.
        on_error: "skip": what cannot be used is left out and noted in the splits' `problems`.

    Raises:
        UserError: a file is missing or contradictory, or the two files have different categories.
    """
    problems = Problems(on_error)
    train = _read(Path(train_annotations).expanduser(), Path(train_images).expanduser(), "train", name, problems)
    val = _read(Path(val_annotations).expanduser(), Path(val_images).expanduser(), "val", name, problems)
    if train.class_names != val.class_names:
        odd = sorted(set(train.class_names) ^ set(val.class_names)) or ["their order"]
        raise UserError(
            f"{train_annotations} and {val_annotations} have different categories ({', '.join(odd[:5])}): both need "
            "the same ids and names."
        )
    if problems.skips:
        _mention_leftovers((train, val), problems)
    return Splits(train, val, problems.noted)


def _read(path: Path, folder: Path, split: str, name: str, problems: Problems) -> Dataset:
    if path.exists() and not path.is_file():
        raise UserError(f"The annotations {path} are a folder, not a file: give the JSON file in it.")
    read = partial(_parsed, path, folder, split, problems)
    # What is skipped depends on the folder of the images, too, and is to be told again: it is not kept.
    found = read() if problems.skips else kept(["coco_json", str(path)], [path], read)
    _check_folder(folder, split)
    annotations = found.parts["all"]
    files = existing(folder, annotations.ids, path)
    return Dataset(f"{name}:{split}", found.class_names, annotations, ImageFiles(files))


def _check_folder(folder: Path, split: str) -> None:
    if not folder.is_dir():
        raise UserError(f"dataset.{split}_images={folder} is not a folder: give the one that holds the images.")


def _parsed(path: Path, folder: Path, split: str, problems: Problems) -> Parsed:
    content = _load(path)
    fields = Fields(path)
    labels, class_names = _categories(content["categories"], fields)
    if problems.skips:
        _check_folder(folder, split)
    images = read_images(content["images"], fields, folder, problems)
    objects, numbers = _objects(content["annotations"], fields, images, labels, problems)
    fields.say_text(problems)

    def describe(i: int) -> str:
        image = images.ids[objects.image[i]]
        return f"annotation {numbers[i]} ({class_names[objects.label[i]]}, image {image}) in {path}"

    def place(i: int) -> tuple[Path, Any]:
        return path, numbers[i]

    found = build_annotations(images.ids, images.sizes, objects, describe, str(path), problems, place)
    return Parsed(class_names, {"all": found})


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


def _objects(
    annotations: Sequence[Any], fields: Fields, images: Images, labels: dict[int, int], problems: Problems
) -> tuple[Objects, list[Any]]:
    """All objects and their annotation ids. Boxes without width or height are left out, counted in one warning.

    COCO's own files have a few of those, which no detector can find; its evaluation gives them an area of 0 too.
    """
    objects, position = Objects(), 0
    numbers: list[Any] = []
    empty: list[Any] = []
    given: list[Any] = []
    for entries in blocks(annotations):
        block = plain_objects(entries, images.rows, labels)
        if block is None:
            items = decoded(entries, fields.path)
            block = _objects_by_entry(items, position, fields, images, labels, problems)
            given += [item["id"] for item in items if isinstance(item, dict) and "id" in item]
        else:
            given += block.numbers
        position += len(entries)
        x, y, width, height = np.array(block.bbox, np.float64).reshape(-1, 4).T
        kept = (width != 0) & (height != 0)
        with np.errstate(invalid="ignore"):  # infinite ones are refused later, by name
            corners = np.stack([y, x, y + height, x + width], axis=1)
        columns = block.image, corners, block.label, block.crowd, block.area
        objects.extend(*(np.asarray(column)[kept] for column in columns))
        for number, is_kept in zip(block.numbers, kept.tolist(), strict=True):
            (numbers if is_kept else empty).append(number)
    warn_of_empty(str(fields.path), "annotations ", empty)
    for number in empty:
        text = f"Annotation {number} in {fields.path} has a box without width or height."
        problems.mention("box-empty", text, fields.path, number, left_out=True)
    _warn_of_repeated_ids(given, fields.path, problems)
    return objects, numbers


def _objects_by_entry(
    items: Sequence[Any],
    position: int,
    fields: Fields,
    images: Images,
    labels: dict[int, int],
    problems: Problems,
) -> Block:
    block = Block([], [], [], [], [], [])
    gone = images.left_out - images.rows.keys()
    for place, item in enumerate(items, start=position):
        number = item.get("id", f"at position {place}") if isinstance(item, dict) else f"at position {place}"
        try:
            bbox = fields.bbox(item)
            image = fields.whole(item, "image_id", "annotation")
            row, label = images.rows.get(image), labels.get(fields.whole(item, "category_id", "annotation"))
            if image in gone:
                continue
            if row is None or label is None:
                key = "image_id" if row is None else "category_id"
                raise UserError(
                    f"Annotation {number} in {fields.path} has the {key} {item[key]}, which the file does not list."
                )
            is_empty = 0 in bbox[2:]  # and left out, whatever else it says
            crowd = not is_empty and fields.is_crowd(item)
            area = math.nan if is_empty else fields.area(item)
        except UserError as error:
            problems.leave_out("object-malformed", error, fields.path, number)
            continue
        block.append(number, row, label, bbox, crowd, area)
    return block


def _warn_of_repeated_ids(numbers: list[Any], path: Path, problems: Problems) -> None:
    if all(type(number) is int for number in numbers) and len(set(numbers)) == len(numbers):
        return
    seen: set[str] = set()
    twice = [number for number in map(str, numbers) if number in seen or seen.add(number)]  # type: ignore[func-returns-value]
    for number in twice:
        problems.mention("id-repeated", f"Several annotations in {path} have the id {number:.80}.", path, number[:80])
    if twice:
        log.warning("%s: %d annotations have the id of another one; the first is %.80s.", path, len(twice), twice[0])


def _mention_leftovers(datasets: Sequence[Dataset], problems: Problems) -> None:
    """Notes images in the folders that neither file lists."""
    used = {path for dataset in datasets if isinstance(dataset.read, ImageFiles) for path in dataset.read.paths}
    noted = {problem.file for problem in problems.noted}
    for folder in sorted({path.parent for path in used}):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in IMAGE_SUFFIXES and file not in used and str(file) not in noted:
                problems.mention("image-unlabelled", f"The image {file} is in no file of annotations.", file)
