"""Images and a COCO instances JSON (https://cocodataset.org/#format-data)."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd.data.images import EXTENSIONS, ImageFiles
from ssd.data.problems import RAISE, Problems
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.readers.coco_fields import Fields
from ssd.data.readers.names import check_class_names, check_file_name
from ssd.data.sample import Dataset, Splits
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
    train = _read(Path(train_annotations).expanduser(), Path(train_images).expanduser(), f"{name}:train", problems)
    val = _read(Path(val_annotations).expanduser(), Path(val_images).expanduser(), f"{name}:val", problems)
    if train.class_names != val.class_names:
        odd = sorted(set(train.class_names) ^ set(val.class_names)) or ["their order"]
        raise UserError(
            f"{train_annotations} and {val_annotations} have different categories ({', '.join(odd[:5])}): both need "
            "the same ids and names."
        )
    _mention_leftovers((train, val), problems)
    return Splits(train, val, problems.noted)


def _read(path: Path, folder: Path, name: str, problems: Problems) -> Dataset:
    content = _load(path)
    if not folder.is_dir():
        raise UserError(
            f"dataset.{name.rpartition(':')[2]}_images={folder} is not a folder: give the one that holds the images."
        )
    fields = Fields(path)
    labels, class_names = _categories(content["categories"], fields)
    images = _images(content["images"], fields, folder, problems)
    ids, sizes = images.ids, images.sizes
    objects, numbers = _objects(content["annotations"], fields, images, labels, problems)
    fields.say_text(problems)

    def describe(i: int) -> str:
        return f"annotation {numbers[i]} ({class_names[objects.label[i]]}, image {ids[objects.image[i]]}) in {path}"

    annotations = build_annotations(ids, sizes, objects, describe, str(path), problems, lambda i: (path, numbers[i]))
    return Dataset(name, class_names, annotations, ImageFiles(_existing(folder, ids, path)))


def _load(path: Path) -> dict[str, Any]:
    if path.exists() and not path.is_file():
        raise UserError(f"The annotations {path} are a folder, not a file: give the JSON file in it.")
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"The annotations {path} do not exist: check the path.") from None
    except RecursionError:
        raise UserError(f"The annotations {path} are nested deeper than any COCO file: it is none.") from None
    except MemoryError:
        raise UserError(f"The annotations {path} do not fit into memory: take a file with fewer objects.") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"The annotations {path} are not UTF-8 (byte {error.start + 1}): save them as JSON in UTF-8."
        ) from None
    except (OSError, ValueError) as error:  # json's own errors are among the latter
        raise UserError(
            f"The annotations {path} are not readable JSON ({error}): correct or copy the file again."
        ) from None
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


@dataclass
class _Images:
    """Of the images that can be used: file names, sizes (height, width), and image id → row; ids of the others."""

    ids: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    rows: dict[int, int] = field(default_factory=dict)
    left_out: set[Any] = field(default_factory=set)


def _images(entries: list[Any], fields: Fields, folder: Path, problems: Problems) -> _Images:
    images, names = _Images(), set[str]()
    there = _Folder(folder)
    for entry in entries:
        kind, number = "image-malformed", None
        try:
            number = fields.whole(entry, "id", "image")
            name = check_file_name(fields.value(entry, "file_name", "image"), f"{fields.path} has the file_name")
            size = fields.side(entry, "height"), fields.side(entry, "width")
            if number in images.rows:
                raise UserError(
                    f"{fields.path} has two images with the id {number}, {images.ids[images.rows[number]]} and {name}: "
                    "ids are unique."
                )
            kind = "listed-twice"
            if problems.skips and name in names:
                raise UserError(f"{fields.path} lists the image {name} twice: keep it once.")
            kind = "image-missing"
            if problems.skips and not there.has(name):
                raise UserError(f"{fields.path} lists {name}, not found in {folder}: put it there, or take it out.")
        except UserError as error:
            problems.leave_out(kind, error, fields.path, number)
            images.left_out.add(number)
            continue
        names.add(name)
        images.rows[number] = len(images.ids)
        images.ids.append(name)
        images.sizes.append(size)
    return images


def _objects(
    annotations: list[Any], fields: Fields, images: _Images, labels: dict[int, int], problems: Problems
) -> tuple[Objects, list[Any]]:
    """All objects and their annotation ids. Boxes without width or height are left out, counted in one warning.

    COCO's own files have a few of those, which no detector can find; its evaluation gives them an area of 0 too.
    """
    objects, numbers, empty = Objects(), [], []
    for position, item in enumerate(annotations):
        number = item.get("id", f"at position {position}") if isinstance(item, dict) else f"at position {position}"
        try:
            x, y, width, height = fields.bbox(item)
            image = fields.whole(item, "image_id", "annotation")
            row = images.rows.get(image)
            label = labels.get(fields.whole(item, "category_id", "annotation"))
            if image in images.left_out - images.rows.keys():
                continue
            if row is None or label is None:
                key = "image_id" if row is None else "category_id"
                raise UserError(
                    f"Annotation {number} in {fields.path} has the {key} {item[key]}, which the file does not list."
                )
            crowd, area = fields.is_crowd(item), fields.area(item)
        except UserError as error:
            problems.leave_out("object-malformed", error, fields.path, number)
            continue
        if width == 0 or height == 0:
            empty.append(number)
            continue
        objects.add(row, (y, x, y + height, x + width), label, crowd=crowd, area=area)
        numbers.append(number)
    warn_of_empty(str(fields.path), "annotations ", empty)
    for number in empty:
        text = f"Annotation {number} in {fields.path} has a box without width or height."
        problems.mention("box-empty", text, fields.path, number, left_out=True)
    _warn_of_repeated_ids(
        [item["id"] for item in annotations if isinstance(item, dict) and "id" in item], fields.path, problems
    )
    return objects, numbers


def _warn_of_repeated_ids(numbers: list[Any], path: Path, problems: Problems) -> None:
    seen: set[str] = set()
    twice = [number for number in map(str, numbers) if number in seen or seen.add(number)]  # type: ignore[func-returns-value]
    for number in twice:
        problems.mention("id-repeated", f"Several annotations in {path} have the id {number:.80}.", path, number[:80])
    if twice:
        log.warning("%s: %d annotations have the id of another one; the first is %.80s.", path, len(twice), twice[0])


class _Folder:
    """What there is in a folder: one listing is much faster than a question per image."""

    def __init__(self, folder: Path) -> None:
        try:
            self._names = {entry.name for entry in folder.iterdir()}
        except OSError as error:
            raise UserError(f"The folder {folder} cannot be listed ({error.strerror}): check its rights.") from None
        self._folder = folder

    def has(self, name: str) -> bool:
        """Whether the file is there, or in a folder below."""
        return name in self._names or (self._folder / name).is_file()


def _existing(folder: Path, ids: list[str], path: Path) -> list[Path]:
    """The image files, each known to exist."""
    there = _Folder(folder)
    missing = [i for i in ids if not there.has(i)]
    if missing:
        more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
        raise UserError(f"{path} lists {missing[0]}{more}, not found in {folder}: check the folder of the images.")
    return [folder / i for i in ids]


def _mention_leftovers(datasets: Sequence[Dataset], problems: Problems) -> None:
    """Notes images in the folders that neither file lists."""
    used = {path for dataset in datasets if isinstance(dataset.read, ImageFiles) for path in dataset.read.paths}
    noted = {problem.file for problem in problems.noted}
    for folder in sorted({path.parent for path in used}):
        for file in sorted(folder.iterdir()):
            if file.suffix.lower() in EXTENSIONS and file not in used and str(file) not in noted:
                problems.mention("image-unlabelled", f"The image {file} is in no file of annotations.", file)
