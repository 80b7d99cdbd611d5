"""What is made of detections: files of an image each, and tables of all. None is kept in memory."""

import csv
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ssd.data.folder.convert import voc_xml, yolo_description, yolo_line
from ssd.data.suffixes import IMAGE_SUFFIXES
from ssd.errors import UserError
from ssd.figures.drawing import draw_detections
from ssd.prediction.image_detections import ImageDetections, encode_jpeg, file_name
from ssd.prediction.reading import Failure, Shown
from ssd.runs.files import whole, write_text

DETECTIONS = "detections.json"
CSV = "detections.csv"

Write = Callable[[Path, Shown, ImageDetections], None]
Add = Callable[[Shown, ImageDetections], None]
Table = Callable[[Path, Sequence[str]], AbstractContextManager[Add]]


def check_free(folder: Path, save: Sequence[str]) -> None:
    """Refuses to write over what is in the folder of the results.

    Raises:
        UserError: naming it.
    """
    for name in (DETECTIONS, CSV, *save):
        if (place := folder / name).exists():
            raise UserError(f"{place} is there already; leave hydra.run.dir out, or give a folder without it")


def write_picture(folder: Path, shown: Shown, found: ImageDetections) -> None:
    """pictures/PLACE.jpg: the upright image, detections drawn."""
    drawn = draw_detections(shown.image, found, found.class_names)
    _write(folder / "pictures" / shown.place.with_suffix(".jpg"), encode_jpeg(drawn))


def write_crops(folder: Path, shown: Shown, found: ImageDetections) -> None:
    """crops/CLASS/PLACE_NUMBER.jpg: each object."""
    for number, (crop, one) in enumerate(zip(found.crops(), found, strict=True), start=1):
        place = shown.place.with_name(f"{shown.place.stem}_{number}.jpg")
        _write(folder / "crops" / file_name(one.class_name) / place, encode_jpeg(crop))


def write_coco_image(folder: Path, shown: Shown, found: ImageDetections) -> None:
    """coco/images/PLACE."""
    _write_image(folder / "coco" / "images", shown)


def write_yolo(folder: Path, shown: Shown, found: ImageDetections) -> None:
    """yolo/images/PLACE and yolo/labels/PLACE.txt."""
    name = _write_image(folder / "yolo" / "images", shown)
    lines = [yolo_line(label, box) for label, box in zip(found.labels, found.boxes, strict=True)]
    _write(folder / "yolo" / "labels" / name.with_suffix(".txt"), "".join(lines).encode())


def write_voc(folder: Path, shown: Shown, found: ImageDetections) -> None:
    """voc/JPEGImages/PLACE and voc/Annotations/PLACE.xml."""
    name = _write_image(folder / "voc" / "JPEGImages", shown)
    objects = [(one.class_name, False, one.box) for one in found]
    _write(folder / "voc" / "Annotations" / name.with_suffix(".xml"), voc_xml(name.name, found.image_size, objects))


def _write_image(folder: Path, shown: Shown) -> Path:
    """The image as its file is; as a JPEG where that has to be turned, or is none. Its place in the folder."""
    place = _image_place(shown)
    _write(folder / place, shown.data if shown.data is not None and place == shown.place else encode_jpeg(shown.image))
    return place


def _image_place(shown: Shown) -> Path:
    is_kept = shown.data is not None and shown.place.suffix.lower() in IMAGE_SUFFIXES
    return shown.place if is_kept else shown.place.with_suffix(".jpg")


def _write(file: Path, data: bytes) -> None:
    with whole(file) as part:
        part.write_bytes(data)


@contextmanager
def detections_json(folder: Path, failures: Sequence[Failure]) -> Iterator[Add]:
    """detections.json: {"images": [...], "failed": [...]}; boxes are xmin, ymin, xmax, ymax in pixels."""
    with whole(folder / DETECTIONS) as part, part.open("w", encoding="utf-8", newline="") as out:
        out.write('{"images": [')
        separator = ""

        def add(shown: Shown, found: ImageDetections) -> None:
            nonlocal separator
            out.write(f"{separator}\n{json.dumps(as_record(shown, found), ensure_ascii=False)}")
            separator = ","

        yield add
        failed = [{"file": name, "reason": reason} for name, reason in failures]
        out.write(f'\n], "failed": {json.dumps(failed, ensure_ascii=False, indent=1)}}}\n')


def as_record(shown: Shown, found: ImageDetections) -> dict[str, Any]:
    """One image's detections for detections.json."""
    height, width = found.image_size
    frame = {} if shown.frame is None else {"frame": shown.frame}
    objects = [
        {"class": one.class_name, "score": round(one.score, 4), "box": [round(side, 1) for side in one.box]}
        for one in found
    ]
    return {"file": shown.name, **frame, "height": height, "width": width, "objects": objects}


@contextmanager
def coco_json(folder: Path, class_names: Sequence[str]) -> Iterator[Add]:
    """coco/annotations.json: COCO's format of instances, with a score to each; ids count from 1."""
    images = objects = 0
    with (
        whole(folder / "coco" / "annotations.json") as part,
        part.open("w", encoding="utf-8", newline="") as out,
        TemporaryFile("w+", encoding="utf-8", newline="") as rest,
    ):
        out.write('{"images": [')

        def add(shown: Shown, found: ImageDetections) -> None:
            nonlocal images, objects
            images += 1
            height, width = found.image_size
            name = _image_place(shown).as_posix()
            image = {"id": images, "file_name": name, "height": height, "width": width}
            out.write((",\n" if images > 1 else "\n") + json.dumps(image, ensure_ascii=False))
            for one in found.to_coco(images):
                objects += 1
                area = one["bbox"][2] * one["bbox"][3]
                rest.write(
                    (",\n" if objects > 1 else "\n") + json.dumps({"id": objects, "area": area, "iscrowd": 0, **one})
                )

        yield add
        out.write('\n], "annotations": [')
        rest.seek(0)
        shutil.copyfileobj(rest, out)
        categories = [{"id": number, "name": name} for number, name in enumerate(class_names, start=1)]
        out.write(f'\n], "categories": {json.dumps(categories, ensure_ascii=False)}}}\n')


@contextmanager
def csv_table(folder: Path, class_names: Sequence[str]) -> Iterator[Add]:
    """detections.csv: a row an object, with the columns of TensorFlow's CSV and the score; without any, one row."""
    with whole(folder / CSV) as part, part.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "score"])

        def add(shown: Shown, found: ImageDetections) -> None:
            height, width = found.image_size
            image = (shown.place.as_posix(), width, height)
            for one in found:
                rows.writerow([*image, one.class_name, *(round(side, 3) for side in one.box), round(one.score, 4)])
            if not len(found):
                rows.writerow([*image, *[""] * 6])

        yield add


@contextmanager
def yolo_classes(folder: Path, class_names: Sequence[str]) -> Iterator[Add]:
    """yolo/data.yaml."""
    write_text(folder / "yolo" / "data.yaml", yolo_description(class_names, train="images"))
    yield lambda shown, found: None


# By what task.save names. A file's writer may run in several threads, a table gets images in order.
FILES: Mapping[str, Write] = {
    "pictures": write_picture,
    "crops": write_crops,
    "coco": write_coco_image,
    "yolo": write_yolo,
    "voc": write_voc,
}
TABLES: Mapping[str, Table] = {"coco": coco_json, "csv": csv_table, "yolo": yolo_classes}
