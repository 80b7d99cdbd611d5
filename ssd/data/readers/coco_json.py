"""Images and a COCO instances JSON (https://cocodataset.org/#format-data)."""

import json
import math
import os
from pathlib import Path
from typing import Any

from ssd.data.images import ImageFiles
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError


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
    categories = sorted(
        (_id(c, "id", path, "category"), str(_get(c, "name", path, "category"))) for c in content["categories"]
    )
    class_names = tuple(str(category_name) for _, category_name in categories)
    if not categories or len({i for i, _ in categories}) < len(categories) or len(set(class_names)) < len(categories):
        raise UserError(f"{path} needs at least one category, and no id or name of a category twice.")
    ids, sizes, rows = _images(content["images"], path)
    labels = {category: label for label, (category, _) in enumerate(categories)}
    objects, numbers = _objects(content["annotations"], path, rows, labels)

    def describe(i: int) -> str:
        return f"annotation {numbers[i]} ({class_names[objects.label[i]]}, image {ids[objects.image[i]]}) in {path}"

    annotations = build_annotations(ids, sizes, objects, describe, str(path))
    return Dataset(f"{name}:{split}", class_names, annotations, ImageFiles(_existing(folder, ids, path)))


def _load(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"The annotations {path} do not exist: check the path.") from None
    except RecursionError:
        raise UserError(f"The annotations {path} are nested deeper than any COCO file: it is none.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(
            f"The annotations {path} are not readable JSON ({error}): correct or copy the file again."
        ) from None
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UserError(f"{path} is not a COCO instances file: it needs the lists {', '.join(keys)}.")
    if not content["images"]:
        raise UserError(f"{path} lists no images: a split needs at least one.")
    return content


def _get(item: dict[str, Any], key: str, path: Path, what: str) -> Any:
    try:
        return item[key]
    except (KeyError, TypeError):
        raise UserError(f"An entry of {path} has no {key!r}: add it to {what} {str(item)[:80]}.") from None


def _id(item: dict[str, Any], key: str, path: Path, what: str) -> int:
    """A number; text that is one is taken for it, as some exports write it."""
    value = _get(item, key, path, what)
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, bool) or number != float(value):
        raise UserError(f"{path} has the {key} {value!r} in {what} {str(item)[:80]}: it must be a whole number.")
    return number


def _file_name(image: dict[str, Any], path: Path) -> str:
    """The image's file, below the folder of the images."""
    name = _get(image, "file_name", path, "image")
    if not isinstance(name, str) or not name or "\0" in name:
        raise UserError(f"{path} has the file_name {name!r}: it must be the name of a file.")
    if Path(name).is_absolute() or os.path.normpath(name).split(os.sep)[0] == os.pardir:
        raise UserError(f"{path} has the file_name {name!r}, which leads out of the folder of the images: correct it.")
    return name


def _images(images: list[dict[str, Any]], path: Path) -> tuple[list[str], list[tuple[int, int]], dict[Any, int]]:
    """File names, sizes (height, width) and image id → row."""
    ids = [_file_name(image, path) for image in images]
    sizes = [(_side(image, "height", path), _side(image, "width", path)) for image in images]
    rows: dict[Any, int] = {}
    for row, image in enumerate(images):
        number = _id(image, "id", path, "image")
        if number in rows:
            raise UserError(
                f"{path} has two images with the id {number}, {ids[rows[number]]} and {ids[row]}: ids are unique."
            )
        rows[number] = row
    return ids, sizes, rows


def _side(image: dict[str, Any], key: str, path: Path) -> int:
    side = _get(image, key, path, "image")
    if not isinstance(side, int) or side < 1:
        raise UserError(
            f"The image {image['file_name']} in {path} has {key} {side!r}: it must be a positive whole number."
        )
    return side


def _objects(
    annotations: list[dict[str, Any]], path: Path, rows: dict[Any, int], labels: dict[Any, int]
) -> tuple[Objects, list[Any]]:
    """All objects and their annotation ids. Boxes without width or height are left out, counted in one warning.

    COCO's own files have a few of those, which no detector can find; its evaluation gives them an area of 0 too.
    """
    objects, numbers, empty = Objects(), [], []
    for position, item in enumerate(annotations):
        x, y, width, height = _bbox(item, path)
        number = item.get("id", f"at position {position}")
        row, label = (
            rows.get(_id(item, "image_id", path, "annotation")),
            labels.get(_id(item, "category_id", path, "annotation")),
        )
        if row is None or label is None:
            key = "image_id" if row is None else "category_id"
            raise UserError(f"Annotation {number} in {path} has the {key} {item[key]}, which the file does not list.")
        if width == 0 or height == 0:
            empty.append(number)
            continue
        crowd = item.get("iscrowd") or 0
        if crowd not in (0, 1):
            raise UserError(f"Annotation {number} in {path} has iscrowd {crowd!r}: it must be 0 or 1.")
        objects.add(row, (y, x, y + height, x + width), label, crowd=bool(crowd), area=_area(item, path))
        numbers.append(number)
    warn_of_empty(str(path), "annotations ", empty)
    return objects, numbers


def _area(item: dict[str, Any], path: Path) -> float:
    """In pixels; NaN where none is given."""
    area = item.get("area") or math.nan
    if not isinstance(area, int | float) or area < 0:
        raise UserError(f"Annotation {item.get('id')} in {path} has the area {area!r}: it must be a positive number.")
    return float(area)


def _bbox(item: dict[str, Any], path: Path) -> tuple[float, float, float, float]:
    box = _get(item, "bbox", path, "annotation")
    try:
        if not isinstance(box, list):
            raise TypeError
        x, y, width, height = (float(value) for value in box)
    except (TypeError, ValueError):
        raise UserError(
            f"Annotation {item.get('id')} in {path} has the bbox {box!r}: it must be x, y, width and height."
        ) from None
    return x, y, width, height


def _existing(folder: Path, ids: list[str], path: Path) -> list[Path]:
    """The image files, each known to exist. One listing of the folder is much faster than a question per image."""
    present = {entry.name for entry in folder.iterdir()}
    missing = [i for i in ids if i not in present and not (folder / i).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
        raise UserError(f"{path} lists {missing[0]}{more}, not found in {folder}: check the folder of the images.")
    return [folder / i for i in ids]
