"""Any data set written as COCO JSON, YOLO text or Pascal VOC, in a folder of its own."""

import json
import logging
import os
import shutil
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from ssd.data.folder.archive import stem_of
from ssd.data.folder.listing import local_path
from ssd.data.folder.places import folded
from ssd.data.sample import Annotation, Dataset
from ssd.data.suffixes import IMAGE_SUFFIXES
from ssd.errors import UserError, nearest
from ssd.runs.files import write_text

log = logging.getLogger(__name__)

_DIGITS = 4  # of a pixel after the point


def beside(path: str, kind: str) -> Path:
    """The folder that a data set is written to: `pets_yolo` beside `pets`, `pets.zip` or `pets/data.yaml`.

    Of a link it is beside the link, not in the store that it may point into.
    """
    place = Path(os.path.abspath(local_path(path)))
    if place.is_file() and stem_of(place) == place.name:
        place = place.parent
    return place.with_name(f"{stem_of(place)}_{kind}")


def check_target(folder: Path, kind: str) -> None:
    """Refuses a format that is not written, and a folder that is there already.

    Raises:
        UserError: saying which.
    """
    if kind not in _WRITERS:
        raise UserError(f"dataset.convert={kind} is no format that is written{nearest(kind, _WRITERS)}")
    if os.path.lexists(folder):
        raise UserError(f"{folder} exists: move it away, or use it as dataset.path.")


def convert(parts: Mapping[str, Dataset], folder: Path, kind: str) -> None:
    """Writes the parts of a data set with their images; nothing that is there is touched.

    Args:
        parts: by the names that they get, `train` and `val` among them; all have the same classes.
        folder: is made.
        kind: coco, yolo or voc. YOLO text and VOC have no crowds, and only VOC has `difficult`: what is lost is said.

    Raises:
        UserError: as of `check_target`.
        OSError: it cannot be written; then nothing stays.
    """
    check_target(folder, kind)
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        names = _file_names(parts.values())
        for split, dataset in parts.items():
            _say_losses(dataset, kind)
            _WRITERS[kind](partial, split, dataset, [names[item.id] for item in dataset.annotations])
        if kind == "yolo":
            places = {split: f"images/{split}" for split in parts}
            write_text(partial / "data.yaml", yolo_description(parts["train"].class_names, **places))
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _file_names(datasets: Iterable[Dataset]) -> dict[str, str]:
    """Id → name of the image's file: its own, where two have the same with its folders, and a number if need be."""
    rows = {item.id: (data, row) for data in datasets for row, item in enumerate(data.annotations)}
    count = Counter(_stem(number) for number in rows)
    names: dict[str, str] = {}
    taken: set[str] = set()
    for number, (dataset, row) in rows.items():
        path = Path(number)
        path = path if path.suffix.lower() in IMAGE_SUFFIXES else Path(number + _suffix(dataset.read(row)))
        wanted = path if count[_stem(number)] == 1 else Path("_".join(path.parts))
        free, counter = wanted.name, 1
        while _stem(free) in taken:
            counter += 1
            free = f"{wanted.stem}_{counter}{wanted.suffix}"
        taken.add(_stem(free))
        names[number] = free
    return names


def _stem(name: str) -> str:
    return folded(Path(name).stem)


def _suffix(encoded: bytes) -> str:
    with Image.open(BytesIO(encoded)) as image:
        return ".jpg" if image.format == "JPEG" else f".{str(image.format).lower()}"


def _say_losses(dataset: Dataset, kind: str) -> None:
    crowds = sum(int(item.crowd.sum()) for item in dataset.annotations)
    difficult = sum(int(item.difficult.sum()) for item in dataset.annotations)
    if crowds and kind != "coco":
        log.warning("%s: %d crowds are left out, which %s has none of.", dataset.name, crowds, kind)
    if difficult and kind != "voc":
        log.warning("%s: %d objects are not marked as difficult any more, as %s cannot.", dataset.name, difficult, kind)


def _pixels(item: Annotation) -> list[list[float]]:
    """Boxes xmin, ymin, xmax, ymax in continuous pixels."""
    scale = (item.height, item.width, item.height, item.width)
    return [
        [round(value, _DIGITS) for value in (box[1], box[0], box[3], box[2])]
        for box in (item.boxes.astype(float) * scale).tolist()
    ]


def _write_image(dataset: Dataset, row: int, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(dataset.read(row))


def _write_coco(folder: Path, split: str, dataset: Dataset, names: Sequence[str]) -> None:
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    for row, (item, name) in enumerate(zip(dataset.annotations, names, strict=True)):
        _write_image(dataset, row, folder / split / name)
        images.append({"id": row + 1, "file_name": name, "height": item.height, "width": item.width})
        for box, label, crowd, area in zip(_pixels(item), item.labels, item.crowd, item.areas, strict=True):
            xmin, ymin, xmax, ymax = box
            objects.append(
                {
                    "id": len(objects) + 1,
                    "image_id": row + 1,
                    "category_id": int(label) + 1,
                    "bbox": [xmin, ymin, round(xmax - xmin, _DIGITS), round(ymax - ymin, _DIGITS)],
                    "area": round(float(area), _DIGITS),
                    "iscrowd": int(crowd),
                }
            )
    categories = [{"id": i, "name": name} for i, name in enumerate(dataset.class_names, start=1)]
    content = {"images": images, "annotations": objects, "categories": categories}
    write_text(folder / "annotations" / f"instances_{split}.json", json.dumps(content, ensure_ascii=False))


def _write_yolo(folder: Path, split: str, dataset: Dataset, names: Sequence[str]) -> None:
    for row, (item, name) in enumerate(zip(dataset.annotations, names, strict=True)):
        _write_image(dataset, row, folder / "images" / split / name)
        kept = item.select(~item.crowd)
        lines = [yolo_line(label, box) for label, box in zip(kept.labels, kept.boxes, strict=True)]
        file = folder / "labels" / split / f"{Path(name).stem}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(lines), encoding="utf-8")


def _write_voc(folder: Path, split: str, dataset: Dataset, names: Sequence[str]) -> None:
    for row, (item, name) in enumerate(zip(dataset.annotations, names, strict=True)):
        _write_image(dataset, row, folder / "JPEGImages" / name)
        kept = item.select(~item.crowd)
        objects = zip([dataset.class_names[label] for label in kept.labels], kept.difficult, _pixels(kept), strict=True)
        file = folder / "Annotations" / f"{Path(name).stem}.xml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(voc_xml(name, (item.height, item.width), objects))
    lines = "".join(f"{Path(name).stem}\n" for name in names)
    write_text(folder / "ImageSets" / "Main" / f"{split}.txt", lines)


def yolo_line(label: int, box: NDArray[np.float32]) -> str:
    """An object in YOLO text: its class, then centre x, centre y, width and height as fractions.

    Args:
        label: index of the class.
        box: ymin, xmin, ymax, xmax as fractions.
    """
    ymin, xmin, ymax, xmax = box.astype(float).tolist()
    numbers = ((xmin + xmax) / 2, (ymin + ymax) / 2, xmax - xmin, ymax - ymin)
    return f"{label} {' '.join(f'{number:.8f}' for number in numbers)}\n"


def yolo_description(class_names: Sequence[str], **splits: str) -> str:
    """The `data.yaml` of a YOLO data set, with the folder of each split."""
    return str(yaml.safe_dump({**splits, "names": dict(enumerate(class_names))}, allow_unicode=True, sort_keys=False))


def voc_xml(name: str, size: tuple[int, int], objects: Iterable[tuple[str, bool, Sequence[float]]]) -> bytes:
    """An image's annotation in Pascal VOC's XML.

    VOC counts pixels from 1 and the last one belongs to the object: an object covers xmin - 1 to xmax.

    Args:
        name: of the image's file.
        size: height and width in pixels.
        objects: class name, whether it is difficult, and xmin, ymin, xmax, ymax in continuous pixels.
    """
    root = ElementTree.Element("annotation")
    ElementTree.SubElement(root, "filename").text = name
    node = ElementTree.SubElement(root, "size")
    for key, value in (("width", size[1]), ("height", size[0]), ("depth", 3)):
        ElementTree.SubElement(node, key).text = str(value)
    for class_name, difficult, (xmin, ymin, xmax, ymax) in objects:
        node = ElementTree.SubElement(root, "object")
        ElementTree.SubElement(node, "name").text = class_name
        ElementTree.SubElement(node, "difficult").text = str(int(difficult))
        corners = ElementTree.SubElement(node, "bndbox")
        for key, number in (("xmin", xmin + 1), ("ymin", ymin + 1), ("xmax", xmax), ("ymax", ymax)):
            ElementTree.SubElement(corners, key).text = f"{number:.{_DIGITS}f}".rstrip("0").rstrip(".")
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8"))


_WRITERS: Mapping[str, Callable[[Path, str, Dataset, Sequence[str]], None]] = {
    "coco": _write_coco,
    "yolo": _write_yolo,
    "voc": _write_voc,
}
