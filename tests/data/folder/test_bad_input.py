"""What cannot be read ends in one sentence, and what is odd is said once with its count; the files stay as they are."""

# ruff: noqa: E501 (tables)

import io
import json
import logging
import os
import re
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.fake_voc import encoded_image
from helpers.label_files import DRAWN, TFOD, coco, image, table, text, tfod_rows, xml, yolo
from helpers.layouts import LAYOUTS
from ssd.data.folder.reader import folder
from ssd.errors import UserError

Spoil = Callable[[Path], Any]


def _put(place: str, content: str | bytes) -> Spoil:
    def spoil(root: Path) -> None:
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    return spoil


def _instead(*files: tuple[str, str]) -> Spoil:
    """Nothing of what was written, but these."""

    def spoil(root: Path) -> None:
        shutil.rmtree(root)
        root.mkdir()
        for place, content in files:
            _put(place, content)(root)

    return spoil


def _without_labels(root: Path) -> None:
    shutil.rmtree(root / "labels")
    (root / "data.yaml").unlink()


def _other(place: str, content: str) -> Spoil:
    """Labels of another kind in the place of what was written."""

    def spoil(root: Path) -> None:
        _without_labels(root)
        _put(place, content)(root)

    return spoil


def _of_cvat(root: Path) -> None:
    _without_labels(root)
    _put("annotations.xml", "<?xml version='1.0'?>\n<annotations><track ></track></annotations>")(root)


def _of_label_studio(root: Path) -> None:
    _without_labels(root)
    entry = {"id": 1, "annotations": [], "file_upload": "a.jpg", "data": {"image": "a.jpg"}}
    _put("export.json", json.dumps([entry]))(root)


def _replace(place: str, old: str, new: str) -> Spoil:
    return lambda root: (root / place).write_text((root / place).read_text().replace(old, new, 1))


def _json(place: str, change: Callable[[Any], Any]) -> Spoil:
    def spoil(root: Path) -> None:
        content = json.loads((root / place).read_text())
        change(content)
        (root / place).write_text(json.dumps(content))

    return spoil


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{here}: &{here} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, here in zip("abcdefghi", "bcdefghij", strict=True)
)
BOMB += "train: *j\nnames: *j\n"
YOLO, LABEL = "yolo", r"Line 1 of .*labels/train/img 0\.txt "
COCO = "coco in one file"
# Layout, what is done to it, the sentence.
WRONG: dict[str, tuple[str, Spoil, str]] = {
    "no folder": (YOLO, lambda root: shutil.rmtree(root), r"dataset\.path=.*: there is no such folder or archive"),
    "empty": (YOLO, _instead(), r"dataset\.path=.* holds no annotations .*: it is empty; give"),
    "images only": (YOLO, _without_labels, r".* holds no annotations .*: it has 9 images, such as images/train/img 0\.jpg, and no labels to them; draw"),
    "no image": (COCO, lambda root: shutil.rmtree(root / "images"), r".* has 1 file of COCO JSON .*, and no image that they belong to"),
    "other files": (YOLO, _instead(("a/b.pdf", "x")), r".*: it has no image among its 1 files"),
    "an archive inside": (YOLO, _instead(("pets.zip", "x")), r".*pets\.zip cannot be unpacked \(.*\): it is damaged or no archive"),
    "several formats": (YOLO, _put("images/train/img 0.xml", "<annotation></annotation>"), r".* holds several formats, Pascal VOC XML \(1 file, images/train/img 0\.xml\) and YOLO text \(9 files, .*\), not known to say the same \(only the YOLO text .*has objects of images/train/img 0\.jpg\): say which one to read by dataset\.format=voc or dataset\.format=yolo\."),
    "other labels": (YOLO, lambda root: [_put(f"labels/{d.split}/{d.stem}.txt", "Car 0 0 0.5")(root) for d in DRAWN], r".*: it has 9 images, such as .*, and no labels to them among its 10 other files, such as data\.yaml; draw"),
    "Label Studio": (YOLO, _of_label_studio, r".*: it has Label Studio's JSON without a box \(export\.json\); draw"),
    "CVAT": (YOLO, _of_cvat, r".*: it has CVAT's XML of a video \(annotations\.xml\); export it as COCO or YOLO there\."),
    "VIA 3": (YOLO, _other("via.json", '{"project": {"vid_list": []}}'), r".*: it has the JSON of VIA 3 \(via\.json\); export"),
    "Supervisely": (YOLO, _other("a.json", '{"objects": [{"classTitle": "cat"}]}'), r".*: it has Supervisely's own JSON \(a\.json\); export"),
    "Datumaro": (YOLO, _other("a.json", '{"items": [{"id": 1, "annotations": []}]}'), r".*: it has Datumaro's own JSON \(a\.json\); export"),
    "COCO results": (YOLO, _other("a.json", '[{"image_id": 1, "bbox": [1, 2, 3, 4]}]'), r".*: it has COCO results \(a\.json\); take"),
    "COCO without categories": (YOLO, _other("a.json", '{"images": [], "annotations": []}'), r".*: it has COCO JSON without annotations or categories \(a\.json\)"),
    "Hugging Face": (YOLO, _other("metadata.jsonl", '{"file_name": "a.jpg"}'), r".*: it has a data set of Hugging Face \(metadata\.jsonl\); save"),
    "classes of images": (YOLO, _other("_classes.csv", "filename,cat\nimg 0.jpg,1"), r".*: it has classes of whole images \(_classes\.csv\); export"),
    "YOLO v3": (YOLO, _other("_annotations.txt", "a.jpg 1,2,3,4,0 5,6,7,8,1"), r".*: it has YOLO v3's text of all images \(_annotations\.txt\)"),
    "YOLO with names": (YOLO, _other("images/train/img 0.txt", "cat 0.5 0.5 0.1 0.1"), r".*: it has YOLO text with names for numbers \(.*img 0\.txt\); write 0, 1"),
    "YOLO with commas": (YOLO, _other("images/train/img 0.txt", "0,0.5,0.5,0.1,0.1"), r".*: it has YOLO text with commas \(.*img 0\.txt\); write spaces"),
    "YOLO with decimal commas": (YOLO, _other("images/train/img 0.txt", "0 0,5 0,5 0,1 0,1"), r".*: it has YOLO text with commas \(.*img 0\.txt\); write spaces"),
    "WIDER FACE": (YOLO, _other("wider.txt", "a/b.jpg\n1\n1 2 3 4 0 0 0 0 0 0"), r".*: it has WIDER FACE's text \(wider\.txt\); write"),
    "VisDrone": (YOLO, _other("images/train/img 0.txt", "684,8,273,116,0,0,0,0"), r".*: it has the texts of VisDrone or a MOT challenge"),
    "DOTA": (YOLO, _other("images/train/img 0.txt", "1 2 3 2 3 4 1 4 plane 0"), r".*: it has DOTA's texts"),
    "Penn-Fudan": (YOLO, _other("a.txt", "# Compatible with PASCAL Annotation Version 1.00"), r".*: it has PASCAL's texts of before 2006"),
    "yolo: words": (YOLO, _put("labels/train/img 0.txt", "cat 0.5 0.5 0.1 0.1"), LABEL + "is 'cat 0\\.5 0\\.5 0\\.1 0\\.1': it must be the number of a class"),
    "yolo: commas": (YOLO, _put("labels/train/img 0.txt", "0,0.5,0.5,0.1,0.1"), LABEL + "is '0,0.5,.*, with spaces between them"),
    "yolo: few numbers": (YOLO, _put("labels/train/img 0.txt", "0 0.5 0.5 0.1"), LABEL + "is '0 0"),
    "yolo: half a point": (YOLO, _put("labels/train/img 0.txt", "0 .1 .1 .2 .2 .3 .3 .4"), LABEL + "has 7 numbers after the class: a box has 4"),
    "yolo: unknown class": (YOLO, _put("labels/train/img 0.txt", "2 0.5 0.5 0.1 0.1"), LABEL + r"has the class 2, and data\.yaml names only 0 to 1"),
    "yolo: half a class": (YOLO, _put("labels/train/img 0.txt", "0.5 0.5 0.5 0.1 0.1"), LABEL + "is '0.5"),
    "yolo: pixels": (YOLO, _put("labels/train/img 0.txt", "0 30 20 10 12"), LABEL + "has the number 30: YOLO's are fractions"),
    "yolo: negative side": (YOLO, _put("labels/train/img 0.txt", "0 0.5 0.5 -0.1 0.1"), r"The box of line 1 \(cat\) in .*img 0\.txt is inverted"),
    "yolo: nan": (YOLO, _put("labels/train/img 0.txt", "0 nan 0.5 0.1 0.1"), r"The box of line 1 .* not a finite number"),
    "yolo: outside": (YOLO, _put("labels/train/img 0.txt", "0 1.5 0.5 0.1 0.1"), r"The box of line 1 .* lies outside its"),
    "yolo: binary": (YOLO, _put("labels/train/img 0.txt", b"0 0.5 0.5 0.1 0.1\n\xff\xfe\x00"), r"The file .*img 0\.txt is not UTF-8 \(byte 19\)"),
    "yaml: broken": (YOLO, _put("data.yaml", "names: [cat, dog"), r"The file .*data\.yaml is not readable YAML"),
    "yaml: calls": (YOLO, _put("data.yaml", "names: !!python/object/apply:os.system ['true']"), r"The file .*data\.yaml is not readable YAML"),
    "yaml: gaps": (YOLO, _put("data.yaml", "names: {0: cat, 2: dog}"), r".*data\.yaml numbers its names 0, 2: they must be 0, 1, 2"),
    "yaml: yes and no": (YOLO, _put("data.yaml", "names: [yes, no]"), r".*data\.yaml has the class name True: it must be a text; write it in quotes"),
    "yaml: a bomb": (YOLO, _put("data.yaml", BOMB), r".*data\.yaml has a list among its names: each must be a text"),
    "yaml: twice": (YOLO, _put("data.yaml", "names: [cat, cat]"), r".*data\.yaml names the class cat twice"),
    "yaml: another": (YOLO, _put("other.yaml", "names: [cow, dog]"), r".*data\.yaml and .*other\.yaml name other classes"),
    "voc: no class": ("voc annots", _replace("annots/img 0.xml", "<name>cat</name>", ""), r"Object 1 of .*img 0\.xml has no <name>"),
    "voc: Latin-1": ("voc annots", _put("annots/img 0.xml", xml(DRAWN[0]).replace("cat", "Kätzchen").encode("latin-1")), r"The annotation .*img 0\.xml is not readable XML \(its byte \d+ is not UTF-8, and it names no other encoding: save it in UTF-8, or begin it with <\?xml"),
    "voc: not closed": ("voc annots", _put("annots/img 0.xml", "<annotation><object>"), r"The annotation .*img 0\.xml is not readable XML"),
    "coco: no JSON": (COCO, _put("annotations.json", '{"images": [], "annotations": [], "categories": ['), r"The annotations .* are not readable JSON"),
    "coco: class": (COCO, _json("annotations.json", lambda content: content["annotations"][0].update(category_id=9)), r"Annotation 0 in .* has the category_id 9, which it does not list"),
    "coco: two of a name": (COCO, _json("annotations.json", lambda content: content["categories"][0].update(name="dog")), r".* has two categories of the name dog"),
    "coco: no box": (COCO, _json("annotations.json", lambda content: content["annotations"][0].pop("bbox")), r"An entry of .* has no 'bbox'"),
    "coco: mask": (COCO, _json("annotations.json", lambda content: content["annotations"][0].update(bbox=[], segmentation={"counts": "`", "size": [40, 60]})), r"Annotation 0 in .* has no bbox, and a segmentation that is neither polygons nor run lengths"),
    "coco: Latin-1": (COCO, _put("annotations.json", json.dumps(coco(DRAWN), ensure_ascii=False).replace('"cat"', '"Kätzchen"').encode("latin-1")), r"The annotations .* are not UTF-8 \(byte \d+\): save them as JSON in UTF-8"),
    "csv: Latin-1": ("tfod csv", _put("images/train_labels.csv", b"filename,width,height,class,xmin,ymin,xmax,ymax\nimg 0.jpg,60,40,K\xe4tzchen,2,3,20,30"), r"The table .*train_labels\.csv is not UTF-8: save it as CSV in UTF-8"),
    "createml: no label": ("createml", _json("train/_annotations.createml.json", lambda content: content[0]["annotations"][0].pop("label")), r"Entry 1 of .* is not one of CreateML"),
    "labelme: no points": ("labelme", _json("train/img 0.json", lambda content: content["shapes"][0].pop("points")), r"The file .*img 0\.json is not one of LabelMe"),
    "via: no class": ("via 1", _json("via.json", lambda content: content["img 0.jpg123"]["regions"]["0"]["region_attributes"].update({"class": ""})), r"The region 1 of img 0\.jpg in .* has no class"),
    "via: which is it": ("via 1", _json("via.json", lambda content: [region.update(region_attributes={"size": "1", "fur": "2"}) for entry in content.values() for region in entry["regions"].values()]), r"The regions in .* have the attributes size, fur, none of which is called class"),
    "csv: a word": ("tfod csv", _replace("images/train_labels.csv", "cat,2,", "cat,two,"), r"Line 2 of .*train_labels\.csv has the xmin 'two': it must be a number"),
    "csv: no class": ("tfod csv", _replace("images/train_labels.csv", "cat,2,", ",2,"), r".*has the class name '', which is empty"),
    "open images: a word": ("open images", _replace("train-annotations-bbox.csv", "/m/0cat,1,", "/m/0cat,1,x"), r"Line 2 of .* has the xmin 'x"),
    "image: damaged": (YOLO, _put("images/train/img 0.jpg", b"x"), r"The image .*img 0\.jpg cannot be read"),
    "image: control character": (YOLO, lambda root: image(root / "images", DRAWN[0], "a\nb.jpg"), r"dataset\.path=.* has a file 'images/a\\nb\.jpg'"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "spoil", "sentence"), WRONG.values(), ids=WRONG)
def test_one_sentence(tmp_path: Path, layout: str, spoil: Spoil, sentence: str) -> None:
    root = tmp_path / "pets"
    LAYOUTS[layout][0](root, DRAWN)
    spoil(root)
    with pytest.raises(UserError) as error:
        folder(str(root))
    assert re.match(sentence, str(error.value)), str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"format": "yolov8"}, r"dataset\.format=yolov8 is no format; did you mean 'yolo'\?"),
        ({"format": "via"}, r".* has no VGG VIA; it holds YOLO text \(9 files, "),
        ({"train": "trian"}, r"dataset\.train=trian: .* has no split trian; did you mean 'train'\?"),
        ({"val": "test"}, r"dataset\.val=test: .* has no split test; choose one of: train, val"),
        ({"class_names": ["cat"]}, r"labels/.* has the class dog, which dataset\.class_names does not list"),
        ({"class_names": ["cat", "cat"]}, r"dataset\.class_names=.* none of them twice"),
    ],
)
def test_settings(tmp_path: Path, settings: dict[str, Any], sentence: str) -> None:
    LAYOUTS[YOLO][0](tmp_path, DRAWN)
    with pytest.raises(UserError, match=sentence):
        folder(str(tmp_path), **settings)


# Of those that are left out: kind, images and objects that are left of 9 and 13.
LEFT_OUT = {
    "yolo: words": ("object-malformed", 9, 12),
    "yolo: unknown class": ("object-malformed", 9, 12),
    "yolo: half a point": ("object-malformed", 9, 12),
    "yolo: nan": ("box-not-finite", 9, 12),
    "yolo: negative side": ("box-inverted", 9, 12),
    "yolo: outside": ("box-outside", 9, 12),
    "yolo: binary": ("annotation-unreadable", 8, 12),
    "voc: no class": ("object-malformed", 9, 12),
    "voc: not closed": ("annotation-unreadable", 8, 12),
    "coco: class": ("object-malformed", 9, 12),
    "coco: no box": ("object-malformed", 9, 12),
    "coco: mask": ("object-malformed", 9, 12),
    "createml: no label": ("object-malformed", 8, 12),
    "labelme: no points": ("annotation-unreadable", 8, 12),
    "via: no class": ("object-malformed", 9, 12),
    "csv: a word": ("object-malformed", 9, 12),
    "csv: no class": ("object-malformed", 9, 12),
    "open images: a word": ("object-malformed", 9, 12),
    "image: damaged": ("image-unreadable", 8, 12),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_cannot_be_used_is_left_out_where_that_is_asked_for(tmp_path: Path, name: str) -> None:
    layout, spoil, sentence = WRONG[name]
    kind, images, objects = LEFT_OUT[name]
    root = tmp_path / "pets"
    LAYOUTS[layout][0](root, DRAWN)
    spoil(root)
    splits = folder(str(root), on_error="skip")
    (problem,) = (found for found in splits.problems if found.left_out)
    assert problem.kind == kind
    assert re.match(sentence, problem.text)
    assert len(splits.train) + len(splits.val) == images
    assert len(splits.train.columns.labels) + len(splits.val.columns.labels) == objects


def test_latin_1_that_says_so_is_read(tmp_path: Path) -> None:
    LAYOUTS["voc annots"][0](tmp_path, DRAWN)
    content = '<?xml version="1.0" encoding="ISO-8859-1"?>' + xml(DRAWN[0]).replace("cat", "Kätzchen")
    (tmp_path / "annots" / "img 0.xml").write_bytes(content.encode("latin-1"))
    assert "Kätzchen" in folder(str(tmp_path)).train.class_names


def test_labelme_with_the_images_of_some_files_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Those inside the others are not taken: that would be two ways at once; how many is said."""
    LAYOUTS["labelme"][0](tmp_path, DRAWN)
    for stem in ("img 1", "img 2"):
        (tmp_path / "train" / f"{stem}.jpg").unlink()
    splits = folder(str(tmp_path))
    assert len(splits.train) == 4
    said = "folder: 2 files of labels have no image, and are left out: train/img 1.json, train/img 2.json."
    assert said in caplog.messages
    noted = folder(str(tmp_path), on_error="skip").problems
    assert [(problem.kind, problem.file) for problem in noted] == [
        ("files-odd", "train/img 1.json"),
        ("files-odd", "train/img 2.json"),
    ]


def test_a_file_that_holds_all_labels_and_cannot_be_read_is_not_skipped(tmp_path: Path) -> None:
    layout, spoil, _ = WRONG["coco: no JSON"]
    LAYOUTS[layout][0](tmp_path / "pets", DRAWN)
    spoil(tmp_path / "pets")
    with pytest.raises(UserError, match=r"; dataset\.on_error=skip cannot help, as all labels depend on that file\.$"):
        folder(str(tmp_path / "pets"), on_error="skip")


def test_entries_of_one_file_are_left_out_one_by_one(tmp_path: Path) -> None:
    """COCO: an image without a name, objects without a box, of an unknown class or no object at all."""
    content = coco(DRAWN)
    del content["images"][0]["file_name"]
    del content["annotations"][1]["bbox"]
    content["annotations"][3]["category_id"] = 99
    content["annotations"].append("x")
    for d in DRAWN:
        image(tmp_path, d)
    text(tmp_path / "all.json", json.dumps(content))
    splits = folder(str(tmp_path), on_error="skip")
    assert len(splits.train) + len(splits.val) == 8
    left_out = [(found.kind, found.object) for found in splits.problems if found.left_out]
    assert left_out == [
        ("image-malformed", None),
        ("object-malformed", 0),
        ("object-malformed", 1),
        ("object-malformed", 3),
        ("object-malformed", "at position 13"),
    ]


def test_objects_of_other_classes_are_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    LAYOUTS[YOLO][0](tmp_path, DRAWN)
    splits = folder(str(tmp_path), class_names=["cat"], on_error="skip")
    assert {problem.kind for problem in splits.problems} == {"class-unknown"}
    assert len(splits.train) + len(splits.val) == 9
    assert len(splits.train.columns.labels) + len(splits.val.columns.labels) == 9


ODD: dict[str, tuple[str, Spoil, str]] = {
    "yolo: no labels": (YOLO, lambda root: (root / "labels/train/img 0.txt").unlink(), "1 images have no file of labels; they are background: images/train/img 0.jpg"),
    "yolo: no image": (YOLO, _put("labels/train/lost.txt", "0 0.5 0.5 0.1 0.1"), "1 files of labels have no image, and are left out: labels/train/lost.txt"),
    "yolo: a score": (YOLO, _put("labels/train/img 0.txt", "0 0.5 0.5 0.1 0.1 0.93"), "1 lines have a sixth number, a score, which is not read: line 1 of labels/train/img 0.txt"),
    "yolo: twice": (YOLO, _put("more/train/img 0.txt", ""), "1 files of labels are of an image that another one is of, and are left out: more/train/img 0.txt"),
    "yolo: no size": (YOLO, _put("labels/train/img 0.txt", "0 0.5 0.5 0.1 0"), "1 boxes without width or height are left out: line 1 of labels/train/img 0.txt"),
    "yaml: lost folder": (YOLO, _replace("data.yaml", "images/val", "images/dev"), "1 entries of data.yaml are not there: val: ./images/dev"),
    "yaml: another layout": ("yolo with classes.txt", _put("data.yaml", "names: [cat, dog]\ntrain: ../train/images\nval: ../valid/images"), "2 entries of data.yaml are not there: train: ../train/images, val: ../valid/images"),
    "voc: no annotation": ("voc annots", lambda root: (root / "annots/img 0.xml").unlink(), "1 images have no annotation, and are left out: images/img 0.jpg"),
    "voc: no image": ("voc annots", lambda root: (root / "images/img 0.jpg").unlink(), "1 annotations have no image, and are left out: annots/img 0.xml"),
    "voc: in no list": ("voc devkit", lambda root: (root / "VOCdevkit/VOC2007/Annotations/img 0.xml").unlink(), "2 lines in ImageSets/Main name no annotated image: img 0 in train.txt, img 0 in trainval.txt"),
    "coco: no image": (COCO, lambda root: (root / "images/img 0.jpg").unlink(), "1 images of annotations.json are not there, and are left out: img 0.jpg"),
    "coco: in no list": (COCO, lambda root: image(root / "images", DRAWN[0], "more.jpg"), "1 images are in no list, and are left out: images/more.jpg"),
    "coco: another size": (COCO, _json("annotations.json", lambda content: content["images"][0].update(height=90)), "1 annotations state another size than their image has; the image decides. The first is of images/img 0.jpg"),
    "labelme: points": ("labelme", _json("train/img 0.json", lambda content: content["shapes"].append({"label": "eye", "points": [[1, 1]], "shape_type": "point"})), "1 shapes are points or lines, which have no box, and are left out: 2 of train/img 0.json"),
    "via: no attributes": ("via 1", _json("via.json", lambda content: [region.update(region_attributes={}) for entry in content.values() for region in entry["regions"].values()]), "13 regions have no attributes, and are all of one class, 'object'"),
}  # fmt: skip


@pytest.mark.parametrize(("layout", "spoil", "said"), ODD.values(), ids=ODD)
def test_what_is_odd_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, layout: str, spoil: Spoil, said: str
) -> None:
    LAYOUTS[layout][0](tmp_path, DRAWN)
    spoil(tmp_path)
    folder(str(tmp_path))
    assert sum(said in message for message in caplog.messages) == 1, caplog.messages
    assert len(caplog.messages) <= 2


def test_labels_without_names_are_numbers_until_they_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    LAYOUTS[YOLO][0](tmp_path, DRAWN)
    (tmp_path / "data.yaml").unlink()
    assert folder(str(tmp_path)).train.class_names == ("0", "1")
    assert "no names of classes, which are called by their numbers (dataset.class_names=[...])" in caplog.messages[0]
    assert folder(str(tmp_path), class_names=["cat", "dog"]).val.class_names == ("cat", "dog")
    with pytest.raises(UserError, match=r"class_names=\['cat'\] names 1 classes, and the labels have numbers up to 1"):
        folder(str(tmp_path), class_names=["cat"])


def test_the_rows_of_an_image_of_another_split_are_not_taken(tmp_path: Path) -> None:
    LAYOUTS["tfod csv"][0](tmp_path, DRAWN)
    (tmp_path / "images" / "train" / "img 0.jpg").unlink()
    shutil.copy(tmp_path / "images" / "val" / "img 6.jpg", tmp_path / "images" / "val" / "img 0.jpg")
    assert "img 0.jpg" not in " ".join(item.id for item in folder(str(tmp_path)).train.annotations)


def test_images_of_one_name_in_several_folders(tmp_path: Path) -> None:
    for place, drawn in (("north", DRAWN[0]), ("south", DRAWN[1])):
        image(tmp_path / place / "images", drawn, "a.jpg")
        text(tmp_path / place / "labels" / "a.txt", yolo(drawn))
    splits = folder(str(tmp_path))
    found = {item.id: len(item.labels) for part in (splits.train, splits.val) for item in part.annotations}
    assert found == {"north/images/a.jpg": 1, "south/images/a.jpg": 2}


def test_a_table_of_paths_with_semicolons(tmp_path: Path) -> None:
    for d in DRAWN:
        image(tmp_path / "images", d)
    rows = [(f"C:\\shots\\{row[0]}", *row[1:]) for row in tfod_rows(DRAWN)]
    table(tmp_path / "all.csv", TFOD, rows)
    (tmp_path / "all.csv").write_bytes((tmp_path / "all.csv").read_text().replace(",", ";").encode("utf-16"))
    splits = folder(str(tmp_path))
    assert len(splits.train) + len(splits.val) == 9


def _zip(members: dict[str, bytes], mode: int = 0o644) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = mode << 16
            archive.writestr(member, data, zipfile.ZIP_DEFLATED)
    return content.getvalue()


def _tar(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz" if size else "w") as archive:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, "/etc/passwd", size
        archive.addfile(member, io.BytesIO(bytes(size)))
    return content.getvalue()


OUT = "which leads out of its folder: it is not unpacked"
HOSTILE = {
    "up": ("a.zip", _zip({"../x.txt": b"x"}), OUT),
    "up inside": ("a.zip", _zip({"a/../../x.txt": b"x"}), OUT),
    "absolute": ("a.zip", _zip({"/tmp/x.txt": b"x"}), OUT),
    "Windows up": ("a.zip", _zip({"..\\x.txt": b"x"}), OUT),
    "drive": ("a.zip", _zip({"C:\\x.txt": b"x"}), OUT),
    "link": ("a.zip", _zip({"x": b"/etc/passwd"}, 0o120777), "holds the link 'x'"),
    "bomb": ("a.zip", _zip({"x.txt": bytes(3_000_000)}), "unpacks to more than 20 times its size"),
    "no zip": ("a.zip", b"PK\3\4x", "it is damaged or no archive"),
    "cut short": ("a.zip", _zip({"x.jpg": os.urandom(9000)})[:5000], "it is damaged or no archive"),
    "tar up": ("a.tar", _tar("../x"), OUT),
    "tar absolute": ("a.tar", _tar("/tmp/x"), OUT),
    "tar link": ("a.tar", _tar("x", tarfile.SYMTYPE), "holds the link 'x'"),
    "tar hard link": ("a.tar", _tar("x", tarfile.LNKTYPE), "holds the link 'x'"),
    "tar bomb": ("a.tgz", _tar("x.txt", size=3_000_000), "unpacks to more than 20 times its size"),
    "hidden tar bomb": ("a.tgz", _tar(".x.txt", size=3_000_000), "unpacks to more than 20 times its size"),
    "tar pipe": ("a.tar", _tar("x", tarfile.FIFOTYPE), "holds the device 'x'"),
    "no tar": ("a.tar.gz", b"\x1f\x8bxxxx", "it is damaged or no archive"),
    "another file": ("a.rar", b"Rar!", "is neither a folder nor an archive"),
}


@pytest.mark.parametrize(("name", "content", "sentence"), HOSTILE.values(), ids=HOSTILE)
def test_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, sentence: str) -> None:
    monkeypatch.setattr("ssd.data.folder.archive._ALWAYS_FINE", 100_000)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=re.escape(sentence)):
        folder(str(tmp_path / name), data_dir=str(tmp_path / "data"))
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == [tmp_path / name]


def test_an_archive_with_what_macos_adds_and_names_of_unknown_encoding(tmp_path: Path) -> None:
    members = {"__MACOSX/._a.jpg": b"x", ".DS_Store": b"x"}
    for d in DRAWN:
        members[f"Größe/{d.file}"], members[f"Größe/{d.stem}.txt"] = encoded_image(*d.size), yolo(d).encode()
    content = bytearray(_zip(members))
    (tmp_path / "a.zip").write_bytes(content.replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00"))  # nothing says UTF-8
    splits = folder(str(tmp_path / "a.zip"), data_dir=str(tmp_path / "data"))
    assert {Path(item.id).parent.name for item in splits.train.annotations} == {"Größe"}


@pytest.mark.parametrize(("supercategory", "objects", "kept"), [("none", 1, 2), (None, 0, 2), ("none", 0, 1)])
def test_category_0_is_the_project_s_where_nothing_is_of_it(
    tmp_path: Path, supercategory: str | None, objects: int, kept: int
) -> None:
    content = coco(DRAWN, first_id=0)
    for category in content["categories"]:
        del category["supercategory"]
        category |= {} if supercategory is None else {"supercategory": supercategory}
    content["annotations"] = [entry for entry in content["annotations"] if objects or entry["category_id"]]
    for d in DRAWN:
        image(tmp_path, d)
    text(tmp_path / "all.json", json.dumps(content))
    assert folder(str(tmp_path)).train.class_names == ("cat", "dog")[-kept:]


def test_runs_in_the_folder_are_no_part_of_it(tmp_path: Path) -> None:
    LAYOUTS[YOLO][0](tmp_path, DRAWN)
    for run, note in (("outputs/train/a", ".hydra/overrides.yaml"), ("outputs/multirun/b", "sweep.json")):
        text(tmp_path / run / note, "")
        image(tmp_path / run / "plots", DRAWN[0], "curves.jpg")
    splits = folder(str(tmp_path))
    assert (len(splits.train), len(splits.val)) == (6, 3)


def test_yaml_and_data_files_of_something_else(tmp_path: Path) -> None:
    LAYOUTS[YOLO][0](tmp_path, DRAWN)
    text(tmp_path / "mkdocs.yml", "site_name: !!python/name:a.b x\n")
    (tmp_path / "x.data").write_bytes(b"\xff\xfe\x00\xd8")
    assert folder(str(tmp_path)).train.class_names == ("cat", "dog")


def test_a_large_json_whose_keys_lie_apart(tmp_path: Path) -> None:
    content = coco(DRAWN)
    content["images"] = [{**entry, "note": "x" * 100_000} for entry in content["images"]]
    content["annotations"] = [{**entry, "note": "x" * 100_000} for entry in content["annotations"]]
    for d in DRAWN:
        image(tmp_path, d)
    text(tmp_path / "all.json", json.dumps({key: content[key] for key in ("images", "categories", "annotations")}))
    assert folder(str(tmp_path)).train.class_names == ("cat", "dog")


def test_a_split_that_the_data_has_is_not_made_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    LAYOUTS["voc devkit"][0](tmp_path, DRAWN)
    with caplog.at_level(logging.INFO, "ssd.data"):
        splits = folder(str(tmp_path), train="trainval", val="val")
    assert (len(splits.train), len(splits.val)) == (9, 3)
    assert caplog.messages[1] == "splits: trainval 9 to train on, val 3 to validate on; not used: train 6"
