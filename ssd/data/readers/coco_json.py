"""Images and a COCO instances JSON (https://cocodataset.org/#format-data)."""

import logging
from pathlib import Path
from typing import Any

from ssd.data.images import ImageFiles
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.readers.coco_fields import Fields
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
    content = _load(path)
    if not folder.is_dir():
        raise UserError(f"dataset.{split}_images={folder} is not a folder: give the one that holds the images.")
    fields = Fields(path)
    labels, class_names = _categories(content["categories"], fields)
    ids, sizes, rows = _images(content["images"], fields)
    objects, numbers = _objects(content["annotations"], fields, rows, labels)
    fields.say_text()

    def describe(i: int) -> str:
        return f"annotation {numbers[i]} ({class_names[objects.label[i]]}, image {ids[objects.image[i]]}) in {path}"

    annotations = build_annotations(ids, sizes, objects, describe, str(path))
    return Dataset(f"{name}:{split}", class_names, annotations, ImageFiles(_existing(folder, ids, path)))


def _load(path: Path) -> dict[str, Any]:
    content = read_json(path)
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


def _images(images: list[Any], fields: Fields) -> tuple[list[str], list[tuple[int, int]], dict[int, int]]:
    """File names, sizes (height, width) and image id → row."""
    where = f"{fields.path} has the file_name"
    ids = [check_file_name(fields.value(image, "file_name", "image"), where) for image in images]
    sizes = [(fields.side(image, "height"), fields.side(image, "width")) for image in images]
    rows: dict[int, int] = {}
    for row, image in enumerate(images):
        number = fields.whole(image, "id", "image")
        if number in rows:
            raise UserError(
                f"{fields.path} has two images with the id {number}, {ids[rows[number]]} and {ids[row]}: ids are "
                "unique."
            )
        rows[number] = row
    return ids, sizes, rows


def _objects(
    annotations: list[Any], fields: Fields, rows: dict[int, int], labels: dict[int, int]
) -> tuple[Objects, list[Any]]:
    """All objects and their annotation ids. Boxes without width or height are left out, counted in one warning.

    COCO's own files have a few of those, which no detector can find; its evaluation gives them an area of 0 too.
    """
    objects, numbers, empty = Objects(), [], []
    for position, item in enumerate(annotations):
        x, y, width, height = fields.bbox(item)
        number = item.get("id", f"at position {position}")
        row = rows.get(fields.whole(item, "image_id", "annotation"))
        label = labels.get(fields.whole(item, "category_id", "annotation"))
        if row is None or label is None:
            key = "image_id" if row is None else "category_id"
            raise UserError(
                f"Annotation {number} in {fields.path} has the {key} {item[key]}, which the file does not list."
            )
        if width == 0 or height == 0:
            empty.append(number)
            continue
        crowd, area = fields.is_crowd(item), fields.area(item)
        objects.add(row, (y, x, y + height, x + width), label, crowd=crowd, area=area)
        numbers.append(number)
    warn_of_empty(str(fields.path), "annotations ", empty)
    _warn_of_repeated_ids([item["id"] for item in annotations if "id" in item], fields.path)
    return objects, numbers


def _warn_of_repeated_ids(numbers: list[Any], path: Path) -> None:
    seen: set[str] = set()
    twice = [number for number in map(str, numbers) if number in seen or seen.add(number)]  # type: ignore[func-returns-value]
    if twice:
        log.warning("%s: %d annotations have the id of another one; the first is %.80s.", path, len(twice), twice[0])


def _existing(folder: Path, ids: list[str], path: Path) -> list[Path]:
    """The image files, each known to exist. One listing of the folder is much faster than a question per image."""
    try:
        present = {entry.name for entry in folder.iterdir()}
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be listed ({error.strerror}): check its rights.") from None
    missing = [i for i in ids if i not in present and not (folder / i).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
        raise UserError(f"{path} lists {missing[0]}{more}, not found in {folder}: check the folder of the images.")
    return [folder / i for i in ids]
