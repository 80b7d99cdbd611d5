"""A dozen drawn images with known boxes, and the files of labels that each tool writes of them."""

# ruff: noqa: E501 (tables)

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.fake_voc import annotation_xml, encoded_image, item

Box = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax in continuous pixels
NAMES = ["cat", "dog"]


@dataclass(frozen=True)
class Drawn:
    """An image with its objects; `split` is where layouts with splits put it."""

    stem: str
    size: tuple[int, int]
    objects: tuple[tuple[str, Box], ...]
    split: str
    photo: Path | None = None  # in place of a drawing

    @property
    def file(self) -> str:
        return f"{self.stem}.jpg"


DRAWN = [
    Drawn(f"img {k}", (40 + k, 60 - k), (("cat", (2, 3, 20 + k, 30)), ("dog", (30, 4, 41, 18 + k)))[: 1 + k % 2], split)
    for k, split in enumerate(["train"] * 6 + ["val"] * 3)
]


def truth(drawn: Iterable[Drawn] = DRAWN) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    """Stem → classes and boxes ymin, xmin, ymax, xmax in pixels."""
    return {d.stem: [(name, (b[1], b[0], b[3], b[2])) for name, b in d.objects] for d in drawn}


def image(folder: Path, drawn: Drawn, name: str | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    seed = sum(drawn.stem.encode())
    content = encoded_image(*drawn.size, seed=seed) if drawn.photo is None else drawn.photo.read_bytes()
    (folder / (name or drawn.file)).write_bytes(content)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def xml(drawn: Drawn, filename: str | None = None) -> str:
    """VOC counts pixels from 1, and the last one belongs to the object."""
    objects = [item(name, b[0] + 1, b[1] + 1, b[2], b[3]) for name, b in drawn.objects]
    return annotation_xml(drawn.file if filename is None else filename, drawn.size, objects)


def yolo(drawn: Drawn) -> str:
    height, width = drawn.size
    return "".join(
        f"{NAMES.index(name)} {(b[0] + b[2]) / 2 / width:.6f} {(b[1] + b[3]) / 2 / height:.6f} "
        f"{(b[2] - b[0]) / width:.6f} {(b[3] - b[1]) / height:.6f}\n"
        for name, b in drawn.objects
    )


def yolo_polygon(drawn: Drawn) -> str:
    """A rhombus that touches the box's four sides."""
    height, width = drawn.size
    lines = []
    for name, (left, top, right, bottom) in drawn.objects:
        x, y = (left + right) / 2, (top + bottom) / 2
        points = [(x, top), (right, y), (x, bottom), (left, y)]
        lines.append(" ".join([str(NAMES.index(name)), *(f"{px / width:.6f} {py / height:.6f}" for px, py in points)]))
    return "\n".join(lines)


def coco(drawn: Sequence[Drawn], file_name: str = "{}", masks: str | None = None, first_id: int = 1) -> dict[str, Any]:
    """`masks` replaces the bbox by polygons, run lengths or their text."""
    annotations: list[dict[str, Any]] = []
    for number, d in enumerate(drawn):
        for name, (left, top, right, bottom) in d.objects:
            entry: dict[str, Any] = {
                "id": len(annotations), "image_id": number, "category_id": NAMES.index(name) + first_id, "iscrowd": 0
            }  # fmt: skip
            if masks is None:
                entry["bbox"] = [left, top, right - left, bottom - top]
                entry["area"] = (right - left) * (bottom - top)
            else:
                entry["segmentation"] = _mask(masks, d.size, (left, top, right, bottom))
            annotations.append(entry)
    return {
        "info": {},
        "images": [
            {"id": k, "file_name": file_name.format(d.file), "height": d.size[0], "width": d.size[1]}
            for k, d in enumerate(drawn)
        ],
        "categories": [{"id": k + first_id, "name": name, "supercategory": "pets"} for k, name in enumerate(NAMES)],
        "annotations": annotations,
    }


def _mask(kind: str, size: tuple[int, int], box: Box) -> Any:
    left, top, right, bottom = box
    if kind == "polygons":
        return [[left, top, right, top, right, bottom], [left, top, left, bottom, right, bottom]]
    height, width = size
    column = bottom - top
    counts = [left * height + top, column]
    for _ in range(right - left - 1):
        counts += [height - column, column]
    counts.append(height * width - sum(counts))
    if kind == "counts":
        return {"size": [height, width], "counts": counts}
    from pycocotools import mask

    return {"size": [height, width], "counts": mask.frPyObjects([{"size": [height, width], "counts": counts}], height, width)[0]["counts"].decode()}  # fmt: skip


def table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *rows])


def tfod_rows(drawn: Iterable[Drawn]) -> list[Sequence[Any]]:
    return [(d.file, d.size[1], d.size[0], name, *box) for d in drawn for name, box in d.objects]


TFOD = ("filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax")


def labelme(d: Drawn) -> str:
    shapes = [
        {"label": name, "points": [[b[2], b[3]], [b[0], b[1]]], "shape_type": "rectangle", "flags": {}}
        for name, b in d.objects
    ]
    return json.dumps(
        {"version": "5.4", "flags": {}, "shapes": shapes, "imagePath": d.file, "imageData": "A" * 70000,
         "imageHeight": d.size[0], "imageWidth": d.size[1]}
    )  # fmt: skip


def createml(drawn: Iterable[Drawn]) -> str:
    def entry(name: str, b: Box) -> dict[str, Any]:
        place = {"x": (b[0] + b[2]) / 2, "y": (b[1] + b[3]) / 2, "width": b[2] - b[0], "height": b[3] - b[1]}
        return {"label": name, "coordinates": place}

    return json.dumps([{"image": d.file, "annotations": [entry(*found) for found in d.objects]} for d in drawn])


def via_regions(d: Drawn) -> list[dict[str, Any]]:
    return [
        {
            "shape_attributes": {"name": "rect", "x": b[0], "y": b[1], "width": b[2] - b[0], "height": b[3] - b[1]},
            "region_attributes": {"class": name, "note": "x"},
        }
        for name, b in d.objects
    ]


def via(drawn: Iterable[Drawn], version: int = 2) -> str:
    def listed(d: Drawn) -> Any:
        regions = via_regions(d)
        return regions if version == 2 else {str(k): region for k, region in enumerate(regions)}

    images = {f"{d.file}123": {"filename": d.file, "size": 123, "regions": listed(d)} for d in drawn}
    return json.dumps({"_via_settings": {}, "_via_img_metadata": images} if version == 2 else images)


def via_table(path: Path, drawn: Iterable[Drawn]) -> None:
    columns = "#filename file_size file_attributes region_count region_id region_shape_attributes region_attributes"
    rows = []
    for d in drawn:
        for k, region in enumerate(via_regions(d)):
            shape, attributes = json.dumps(region["shape_attributes"]), json.dumps(region["region_attributes"])
            rows.append((d.file, 123, "{}", len(d.objects), k, shape, attributes))
    table(path, columns.split(), rows)


def open_images(path: Path, drawn: Iterable[Drawn]) -> None:
    columns = [
        "ImageID",
        "Source",
        "LabelName",
        "Confidence",
        "XMin",
        "XMax",
        "YMin",
        "YMax",
        "IsOccluded",
        "IsTruncated",
        "IsGroupOf",
    ]
    rows = []
    for d in drawn:
        height, width = d.size
        for name, b in d.objects:
            corners = b[0] / width, b[2] / width, b[1] / height, b[3] / height
            rows.append((d.stem, "x", f"/m/0{name}", 1, *corners, 0, 0, 0))
    table(path, columns, rows)


def cvat(drawn: Iterable[Drawn]) -> str:
    images = [
        f'<image id="0" name="{d.file}" width="{d.size[1]}" height="{d.size[0]}" subset="{d.split.title()}">'
        + "".join(
            f'<box label="{name}" xtl="{b[0]:.2f}" ytl="{b[1]:.2f}" xbr="{b[2]:.2f}" ybr="{b[3]:.2f}" z_order="0"></box>'
            for name, b in d.objects
        )
        + "</image>"
        for d in drawn
    ]
    return f"<?xml version='1.0'?>\n<annotations><version>1.1</version><meta/>{''.join(images)}</annotations>"


def vott_asset(d: Drawn) -> dict[str, Any]:
    regions = [
        {"tags": [name], "boundingBox": {"left": b[0], "top": b[1], "width": b[2] - b[0], "height": b[3] - b[1]}}
        for name, b in d.objects
    ]
    about = {"name": d.file.replace(" ", "%20"), "size": {"width": d.size[1], "height": d.size[0]}}
    return {"asset": about, "regions": regions, "version": "2.2.0"}


def vott(drawn: Iterable[Drawn]) -> str:
    return json.dumps({"name": "pets", "assets": {d.stem: vott_asset(d) for d in drawn}})


def label_studio(drawn: Iterable[Drawn], is_min: bool = False) -> str:
    tasks: list[dict[str, Any]] = []
    for d in drawn:
        height, width = d.size
        shapes = [
            {"x": b[0] / width * 100, "y": b[1] / height * 100, "width": (b[2] - b[0]) / width * 100,
             "height": (b[3] - b[1]) / height * 100, "rotation": 0, "rectanglelabels": [name]}
            for name, b in d.objects
        ]  # fmt: skip
        image = f"/data/upload/1/0a1b2c3d-{d.file}"
        if is_min:
            tasks.append({"image": image, "id": 1, "label": shapes, "annotator": 1, "annotation_id": 1})
        else:
            results = [
                {"value": shape, "type": "rectanglelabels", "original_width": width, "original_height": height}
                for shape in shapes
            ]
            tasks.append({"id": 1, "data": {"image": image}, "annotations": [{"result": results}]})
    return json.dumps(tasks)


def kitti(d: Drawn) -> str:
    return "".join(
        f"{name} 0.00 0 -1.57 {b[0]:.2f} {b[1]:.2f} {b[2]:.2f} {b[3]:.2f} 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n"
        for name, b in d.objects
    )
