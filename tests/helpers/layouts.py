"""The layouts of folders that are understood: a dozen drawn images, written as each tool leaves them."""

# ruff: noqa: E501 (tables)

import base64
import json
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.label_files import (
    NAMES,
    TFOD,
    Box,
    Drawn,
    coco,
    createml,
    cvat,
    image,
    kitti,
    label_studio,
    labelme,
    open_images,
    table,
    text,
    tfod_rows,
    via,
    via_table,
    vott,
    vott_asset,
    xml,
    yolo,
    yolo_polygon,
)

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


def _oidv4(root: Path, drawn: Sequence[Drawn]) -> None:
    """A folder a class, and the tables of all classes that the tool downloads first."""
    for d in drawn:
        home = root / "Dataset" / ("validation" if d.split == "val" else d.split) / "Red pet"
        image(home, d)
        text(
            home / "Label" / f"{d.stem}.txt",
            "".join(f"{n} {b[0]}.0 {b[1]}.0 {b[2]}.0 {b[3]}.0\n" for n, b in d.objects),
        )
    open_images(root / "csv_folder" / "train-annotations-bbox.csv", drawn)


def _lists(*places: str) -> Callable[[Path, Sequence[Drawn]], None]:
    """VOC XML, and lists of images beside it; `{}` is the split."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        _each("images", "annotations", ".xml", xml)(root, drawn)
        for split in ("train", "val"):
            for place in places:
                text(root / place.format(split), "".join(f"{d.file}\n" for d in _of(drawn, split)))

    return write


def _oxford_pets(root: Path, drawn: Sequence[Drawn]) -> None:
    _each("images", "annotations/xmls", ".xml", xml)(root, drawn)
    for d in drawn:
        image(root / "annotations" / "trimaps", d, f"{d.stem}.png")
    for split, name in (("train", "trainval"), ("val", "test")):
        text(root / "annotations" / f"{name}.txt", "".join(f"{d.file} 1 1 1\n" for d in _of(drawn, split)))


def _backslashes(root: Path, drawn: Sequence[Drawn]) -> None:
    """As a bad program unpacks an archive of Windows."""
    for d in drawn:
        image(root, d, f"{d.split}\\images\\{d.file}")
        text(root / f"{d.split}\\labels\\{d.stem}.xml", xml(d))


def _zip_in_a_folder(root: Path, drawn: Sequence[Drawn]) -> None:
    _each("{}/images", "{}/labels", ".xml", xml)(root / "inside", drawn)
    shutil.make_archive(str(root / "pets v2"), "zip", root / "inside")
    shutil.rmtree(root / "inside")
    text(root / "README.txt", "pets")


def _all_beside_its_splits(root: Path, drawn: Sequence[Drawn]) -> None:
    _per_split("images", "{}.json", _json())(root, drawn)
    text(root / "annotations.json", json.dumps(coco(drawn)))


def _text_ids(root: Path, drawn: Sequence[Drawn]) -> None:
    content = coco(drawn)
    for entry in content["images"]:
        entry["id"] = f"pet {entry['id']}"
    for entry in content["annotations"]:
        entry["image_id"] = f"pet {entry['image_id']}"
    _at_once("images", "all.json", lambda _: json.dumps(content))(root, drawn)


def _in_utf_16(write: Write, suffix: str) -> Write:
    def rewrite(root: Path, drawn: Sequence[Drawn]) -> None:
        write(root, drawn)
        for file in root.rglob(f"*{suffix}"):
            file.write_text(file.read_text().replace("\n", "\r\n"), encoding="utf-16")

    return rewrite


def _with_mark(root: Path, drawn: Sequence[Drawn]) -> None:
    _with(_each("{}/images", "{}/labels", ".txt", yolo), data_yaml=ROBOFLOW)(root, drawn)
    for file in [*root.rglob("*.txt"), root / "data.yaml"]:
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))


def _table(columns: Sequence[str], row: Callable[[Drawn, str, Box], Sequence[Any]]) -> Write:
    """A row an object in a CSV beside a folder of images."""

    def write(root: Path, drawn: Sequence[Drawn]) -> None:
        for d in drawn:
            image(root / "images", d)
        rows = [row(d, name, b) for d in drawn for name, b in d.objects]
        table(root / "boxes.csv", columns or rows[0], rows if columns else rows[1:])

    return write


def _inside_labelme(root: Path, drawn: Sequence[Drawn]) -> None:
    for d in drawn:
        image(root, d)
        content = json.loads(labelme(d)) | {"imageData": base64.b64encode((root / d.file).read_bytes()).decode()}
        (root / d.file).unlink()
        text(root / d.split / f"{d.stem}.json", json.dumps(content))


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
    "voc with lists of a class": (_lists("ImageSets/Main/cat_{}.txt", "ImageSets/Main/dog_{}.txt"), "voc"),
    "voc with lists in ImageSets": (_lists("ImageSets/{}.txt"), "voc"),
    "voc with lists of files": (_lists("{}.txt"), "voc"),
    "voc of the Oxford pets": (_oxford_pets, "voc"),
    "voc in UTF-16": (_in_utf_16(_each("{}", "{}", ".xml", xml), ".xml"), "voc"),
    "voc with backslashes in names": (_backslashes, "voc"),
    "voc with another suffix in <filename>": (_each("images", "xml", ".xml", lambda d: xml(d, f"{d.stem}.png")), "voc"),
    "voc in a zip in a folder": (_zip_in_a_folder, "voc"),
    "coco of uploads": (_at_once("images", "result.json", lambda drawn: json.dumps(coco(drawn, "images/0a1b2c3d-{}"))), "coco"),
    "coco with ids of text": (_text_ids, "coco"),
    "coco of all beside its splits": (_all_beside_its_splits, "coco"),
    "coco in UTF-16": (_in_utf_16(_per_split("{}", "{}.json", _json()), ".json"), "coco"),
    "yolo with marks of UTF-8": (_with_mark, "yolo"),
    "yolo in UTF-16": (_in_utf_16(_with(_each("images", "labels", ".txt", yolo), classes_txt="cat\ndog\n"), ".txt"), "yolo"),
    "labelme with images inside": (_inside_labelme, "labelme"),
    "csv of VoTT": (_table(("image", "xmin", "ymin", "xmax", "ymax", "label"), lambda d, n, b: (d.file, *b, n)), "tfod_csv"),
    "csv of Kaggle": (
        _table(("image_id", "width", "height", "bbox", "class"), lambda d, n, b: (d.stem, d.size[1], d.size[0], str([*b[:2], b[2] - b[0], b[3] - b[1]]), n)),
        "tfod_csv",
    ),
    "csv of fractions": (
        _table(("path", "x1", "y1", "x2", "y2", "label"), lambda d, n, b: (f"a/{d.file}", b[0] / d.size[1], b[1] / d.size[0], b[2] / d.size[1], b[3] / d.size[0], n)),
        "tfod_csv",
    ),
    "csv of keras-retinanet": (_table((), lambda d, n, b: (f"images/{d.file}", *b, n)), "tfod_csv"),
    "cvat": (_at_once("images", "annotations.xml", cvat), "cvat"),
    "label studio": (_at_once("images", "project-1.json", label_studio), "label_studio"),
    "label studio, min": (_at_once("images", "project-1.json", lambda drawn: label_studio(drawn, is_min=True)), "label_studio"),
    "vott": (_at_once("vott-json-export", "vott-json-export/pets-export.json", vott), "vott"),
    "vott, a file an image": (_each("{}", "{}", "-asset.json", lambda d: json.dumps(vott_asset(d))), "vott"),
    "kitti": (_each("{}/image_2", "{}/label_2", ".txt", kitti), "kitti"),
    "oidv4": (_oidv4, "kitti"),
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
        "voc with another suffix in <filename>", "coco of uploads", "coco with ids of text", "yolo in UTF-16",
        "csv of VoTT", "csv of Kaggle", "csv of fractions", "csv of keras-retinanet", "label studio",
        "label studio, min", "vott",
    )
}  # fmt: skip
