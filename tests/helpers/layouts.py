"""A dozen drawn images with known boxes, written as each tool leaves them."""

# ruff: noqa: E501 (tables)

import csv
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
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
    (folder / (name or drawn.file)).write_bytes(encoded_image(*drawn.size, seed=seed))


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


Write = Callable[[Path, Sequence[Drawn]], Any]


def _each(images: str, labels: str, suffix: str, label: Callable[[Drawn], str]) -> Write:
    """A file of labels an image; `{}` in the folders is the split."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        for d in drawn:
            image(root / images.format(d.split), d)
            text(root / labels.format(d.split) / f"{d.stem}{suffix}", label(d))

    return write


def _with(first: Write, **files: str) -> Write:
    """And texts, `DIR__file_txt` being DIR/file.txt."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        first(root, drawn)
        for name, content in files.items():
            text(root / name.replace("__", "/").replace("_", "."), content)

    return write


def _of(drawn: Iterable[Drawn], split: str) -> list[Drawn]:
    return [d for d in drawn if d.split == split]


def _per_split(images: str, labels: str, write_labels: Callable[[Path, Sequence[Drawn]], Any]) -> Write:
    """A file of labels a split."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        for split in ("train", "val"):
            for d in _of(drawn, split):
                image(root / images.format(split), d)
            write_labels(root / labels.format(split), _of(drawn, split))

    return write


def _at_once(images: str, labels: str, content: Callable[[Sequence[Drawn]], str]) -> Write:
    """One file of labels."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        for d in drawn:
            image(root / images.format(d.split), d)
        text(root / labels, content(drawn))

    return write


def _json(**options: Any) -> Callable[[Path, Sequence[Drawn]], Any]:
    return lambda path, drawn: text(path, json.dumps(coco(drawn, **options)))


def _devkit(root: Path, drawn: Sequence[Drawn]) -> None:
    home = root / "VOCdevkit" / "VOC2007"
    _each("JPEGImages", "Annotations", ".xml", xml)(home, drawn)
    for split in ("train", "val"):
        stems = [d.stem for d in _of(drawn, split)]
        text(home / "ImageSets" / "Main" / f"{split}.txt", "\n".join(stems))
        text(home / "ImageSets" / "Main" / f"cat_{split}.txt", "\n".join(f"{stem}  1" for stem in stems))
    text(home / "ImageSets" / "Main" / "trainval.txt", "\n".join(d.stem for d in drawn))


def _devkit_of_two_years(root: Path, drawn: Sequence[Drawn]) -> None:
    for year, split in (("2007", "train"), ("2012", "val")):
        home = root / f"VOC{year}"
        _each("JPEGImages", "Annotations", ".xml", xml)(home, _of(drawn, split))
        text(home / "ImageSets" / "Main" / f"{split}.txt", "\n".join(d.stem for d in _of(drawn, split)))


def _by_filename(root: Path, drawn: Sequence[Drawn]) -> None:
    for k, d in enumerate(drawn):
        image(root / "pics", d)
        text(root / "marks" / f"{k:04d}.xml", xml(d, f"C:\\shots\\{d.file}"))


def _accents(root: Path, drawn: Sequence[Drawn]) -> None:
    for d in drawn:
        name = f"Größe é {d.stem}"
        image(root / "Bilder", d, unicodedata.normalize("NFD", f"{name}.JPG"))
        text(root / "Labels" / f"{unicodedata.normalize('NFC', name)}.xml", xml(d, "old.jpg"))


def _roboflow_coco(root: Path, drawn: Sequence[Drawn]) -> None:
    for split, folder in (("train", "train"), ("val", "valid")):
        for d in _of(drawn, split):
            image(root / folder, d)
        content = coco(_of(drawn, split))
        content["categories"].insert(0, {"id": 0, "name": "cat", "supercategory": "none"})
        text(root / folder / "_annotations.coco.json", json.dumps(content))
    text(root / "README.roboflow.txt", "pets - v1\n1 2 3\n")


def _official_coco(root: Path, drawn: Sequence[Drawn]) -> None:
    _per_split("{}2017", "annotations/instances_{}2017.json", _json())(root, drawn)
    captions = {"images": [], "annotations": [{"caption": "a", "id": 1, "image_id": 1}], "categories": []}
    text(root / "annotations" / "captions_train2017.json", json.dumps(captions))


def _yolo_lists(root: Path, drawn: Sequence[Drawn]) -> None:
    _each("images", "labels", ".txt", yolo)(root, drawn)
    for split in ("train", "val"):
        text(root / f"{split}.txt", "".join(f"/content/pets/images/{d.file}\n" for d in _of(drawn, split)))
    names = dict(enumerate(NAMES))
    text(root / "config.yaml", f"path: /content/pets\ntrain: train.txt\nval: val.txt\nnames: {json.dumps(names)}\n")


def _darknet(root: Path, drawn: Sequence[Drawn]) -> None:
    _each("obj_train_data", "obj_train_data", ".txt", yolo)(root, drawn)
    for split, key in (("train", "train"), ("val", "valid")):
        text(root / f"{key}.txt", "".join(f"data/obj_train_data/{d.file}\n" for d in _of(drawn, split)))
    text(root / "obj.names", "cat\ndog\n")
    text(root / "obj.data", "classes = 2\ntrain = data/train.txt\nvalid = data/valid.txt\nnames = data/obj.names\n")


def _open_images(root: Path, drawn: Sequence[Drawn]) -> None:
    _per_split("{}", "{}-annotations-bbox.csv", open_images)(root, drawn)
    text(root / "class-descriptions-boxable.csv", "/m/0cat,cat\n/m/0dog,dog\n/m/0cow,cow\n")


ROBOFLOW = "train: ../train/images\nval: ../val/images\nnames: [cat, dog]\nnc: 2\n"
# Name → how it is written, and the format that it is.
LAYOUTS: Mapping[str, tuple[Write, str]] = {
    "voc devkit": (_devkit, "voc"),
    "voc devkits of two years": (_devkit_of_two_years, "voc"),
    "voc annotations, images": (_each("images", "annotations", ".xml", xml), "voc"),
    "voc annots": (_each("images", "annots", ".xml", xml), "voc"),
    "voc beside the images (labelImg)": (_each("pets", "pets", ".xml", xml), "voc"),
    "voc in folders of splits": (_each("{}", "{}", ".xml", xml), "voc"),
    "voc folders in folders of splits": (_each("{}/img", "{}/ann", ".XML", xml), "voc"),
    "voc in folders with splits in their names": (_each("My pets {}/jpg", "My pets {}/xml", ".xml", xml), "voc"),
    "voc by <filename>": (_by_filename, "voc"),
    "voc with accents": (_accents, "voc"),
    "coco official": (_official_coco, "coco"),
    "coco of Roboflow": (_roboflow_coco, "coco"),
    "coco in one file": (_at_once("images", "annotations.json", lambda drawn: json.dumps(coco(drawn))), "coco"),
    "coco of CVAT": (
        _at_once("images/default", "annotations/instances_default.json", lambda drawn: json.dumps(coco(drawn))),
        "coco",
    ),
    "coco of Label Studio": (
        _at_once("images", "result.json", lambda drawn: json.dumps(coco(drawn, r"..\..\images\{}", first_id=0))),
        "coco",
    ),
    "coco of Datumaro": (_per_split("images/{}", "annotations/instances_{}.json", _json()), "coco"),
    "coco with polygons": (_per_split("{}", "{}.json", _json(masks="polygons")), "coco"),
    "coco with run lengths": (_per_split("{}", "{}.json", _json(masks="counts")), "coco"),
    "coco with run lengths as text": (_per_split("{}", "{}.json", _json(masks="text")), "coco"),
    "yolo": (
        _with(_each("images/{}", "labels/{}", ".txt", yolo), data_yaml="path: .\ntrain: images/train\nval: images/val\nnames: [cat, dog]\n"),
        "yolo",
    ),
    "yolo of Roboflow": (_with(_each("{}/images", "{}/labels", ".txt", yolo), data_yaml=ROBOFLOW), "yolo"),
    "yolo with a list of folders": (
        _with(
            _each("{}/images", "{}/labels", ".txt", yolo),
            pets_yml="train: [train/images]\nval: [val/images]\nnames: {0: cat, 1: dog}\n",
        ),
        "yolo",
    ),
    "yolo with lists of images": (_yolo_lists, "yolo"),
    "yolo with classes.txt": (_with(_each("images", "labels", ".txt", yolo), labels__classes_txt="cat\ndog\n"), "yolo"),
    "yolo beside the images": (_with(_each("Pets", "Pets", ".txt", yolo), Pets__obj_names="cat\ndog\n"), "yolo"),
    "yolo of darknet": (_darknet, "yolo"),
    "yolo polygons": (_with(_each("images", "labels", ".txt", yolo_polygon), data_yaml="names: [cat, dog]"), "yolo"),
    "yolo poses": (
        _with(
            _each("{}/images", "{}/labels", ".txt", lambda d: yolo(d).replace("\n", " 0.9 0.9 2 0.1 0.1 1\n")),
            data_yaml="names: [cat, dog]\nkpt_shape: [2, 3]",
        ),
        "yolo",
    ),
    "createml": (_per_split("{}", "{}/_annotations.createml.json", lambda path, drawn: text(path, createml(drawn))), "createml"),
    "labelme": (_each("{}", "{}", ".json", labelme), "labelme"),
    "labelme in another folder": (_each("images", "json", ".json", labelme), "labelme"),
    "via": (_per_split("{}", "{}/via_region_data.json", lambda path, drawn: text(path, via(drawn))), "via"),
    "via 1": (_at_once("images", "via.json", lambda drawn: via(drawn, version=1)), "via"),
    "via csv": (_per_split("{}", "via_{}.csv", via_table), "via"),
    "open images": (_open_images, "open_images"),
    "tfod csv": (
        _per_split("images/{}", "images/{}_labels.csv", lambda path, drawn: table(path, TFOD, tfod_rows(drawn))),
        "tfod_csv",
    ),
}  # fmt: skip
# Those whose folders or files say which images are in which split.
WITH_SPLITS = {
    name
    for name in LAYOUTS
    if name
    not in (
        "voc annotations, images", "voc annots", "voc beside the images (labelImg)", "voc by <filename>",
        "voc with accents", "coco in one file", "coco of CVAT", "coco of Label Studio", "yolo with classes.txt",
        "yolo beside the images", "yolo polygons", "labelme in another folder", "via 1",
    )
}  # fmt: skip
