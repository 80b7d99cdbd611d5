"""Every fault of a VOC folder's or a COCO file's text that ends in one sentence: fault → sentence, files untouched."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.fake_voc import encoded_image, item, write_voc
from ssd.data.readers.coco_json import coco_json
from ssd.data.readers.voc_folder import voc_folder
from ssd.errors import UserError


def _voc(root: Path) -> Path:
    objects = [item("cat", 2, 2, 20, 20)]
    return write_voc(root, dict.fromkeys("abcd", objects), {"train": ["a", "b"], "val": ["c", "d"]})


def _split(content: bytes) -> Callable[[Path], Any]:
    return lambda root: (root / "ImageSets" / "Main" / "train.txt").write_bytes(content)


def _xml(content: bytes) -> Callable[[Path], Any]:
    return lambda root: (root / "Annotations" / "a.xml").write_bytes(content)


def _named(name: str) -> Callable[[Path], Any]:
    return _xml(
        f"<annotation><object><name>{name}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax>"
        "</bndbox></object></annotation>".encode()
    )


def _folder_instead(place: str) -> Callable[[Path], Any]:
    def spoil(root: Path) -> None:
        (root / place).unlink()
        (root / place).mkdir()

    return spoil


def _pipe_instead(place: str) -> Callable[[Path], Any]:
    def spoil(root: Path) -> None:
        (root / place).unlink()
        os.mkfifo(root / place)

    return spoil


LIST = r"The split .*Main/train\.txt "
ANNOTATION = r"The annotation .*a\.xml "
VOC: dict[str, tuple[Callable[[Path], Any], str]] = {
    "split: a folder": (_folder_instead("ImageSets/Main/train.txt"), LIST + r"cannot be read \(Is a directory\)"),
    "split: latin-1": (_split(b"a\nb\xe9\n"), LIST + r"is not UTF-8 \(byte 4\): save it as text in UTF-8"),
    "split: UTF-16": (_split("a\nb\n".encode("utf-16")), LIST + "is UTF-16: save it as text in UTF-8"),
    "split: binary": (_split(bytes(range(256))), LIST + "is not UTF-8"),
    "split: NUL": (_split(b"a\nb\0\n"), LIST + r"lists 'b\\x00': it must be the name of a file"),
    "split: empty": (_split(b"\xef\xbb\xbf\n"), LIST + "is empty"),
    "split: upwards": (_split(b"a\n../Annotations/../../x/b\n"), LIST + r"lists '\.\./.*' ?, which leads out of the"),
    "split: absolute": (_split(b"a\n/etc/passwd\n"), LIST + "lists '/etc/passwd', which leads out of the folder"),
    "split: a long name": (_split(b"a" * 5000), LIST + r"lists 'a+\.\.\., which is longer than a file's name"),
    "xml: a folder": (_folder_instead("Annotations/a.xml"), ANNOTATION + "is a folder or a device"),
    "xml: a pipe": (_pipe_instead("Annotations/a.xml"), ANNOTATION + "is a folder or a device"),
    "xml: deep": (_xml(b"<a>" * 100_000 + b"</a>" * 100_000), ANNOTATION + "is not one of VOC: it begins with <a>"),
    "xml: large": (_xml(b"<annotation>" + b" " * 10_000_000), ANNOTATION + "has 10 MB, which no image's has"),
    "xml: encoding": (
        _xml(b"<?xml version='1.0' encoding='gb2312'?><annotation/>"),
        ANNOTATION + "is not readable XML",
    ),
    "xml: HTML": (_xml(b"<html></html>"), ANNOTATION + "is not one of VOC: it begins with <html>"),
    "class: line break": (_named("ca\nt"), r"Object 1 .*a\.xml has the class name 'ca\\nt' with a line break"),
    "class: escape": (_named("ca\x85t"), r"Object 1 .*a\.xml has the class name 'ca\\x85t' with a line break"),
    "class: separator": (_named("ca\u2028t"), r"Object 1 .*a\.xml has the class name 'ca\\u2028t' with a line break"),
    "class: long": (_named("c" * 5000), r"Object 1 .*a\.xml has a class name of 5000 letters, 'c{20}'\.\.\.: shorten"),
    "class: empty": (_named("  "), r"Object 1 .*a\.xml has no <name>"),
    "image: a folder": (_folder_instead("JPEGImages/a.jpg"), r"The image .*a\.jpg is a folder or a device"),
    "image: a pipe": (_pipe_instead("JPEGImages/a.jpg"), r"The image .*a\.jpg is a folder or a device"),
    "image: empty": (lambda root: (root / "JPEGImages/a.jpg").write_bytes(b""), r"The image .*a\.jpg cannot be read"),
}


def _state(root: Path) -> dict[Path, Any]:
    return {file: file.read_bytes() if file.is_file() else file.stat().st_mode for file in root.rglob("*")}


@pytest.mark.parametrize(("spoil", "sentence"), VOC.values(), ids=VOC)
def test_a_voc_folder(tmp_path: Path, spoil: Callable[[Path], Any], sentence: str) -> None:
    spoil(_voc(tmp_path))
    before = _state(tmp_path)
    with pytest.raises(UserError) as error:
        voc_folder(str(tmp_path), "train", "val", None, 0.2, 0)
    assert re.match(sentence, str(error.value))
    assert "\n" not in str(error.value)
    assert _state(tmp_path) == before


def test_a_file_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    _voc(tmp_path)
    shutil.rmtree(tmp_path / "ImageSets")
    os.rename(tmp_path / "Annotations" / "a.xml", bytes(tmp_path) + b"/Annotations/\xe9.xml")
    with pytest.raises(UserError, match=r"Annotations has a file '\\udce9': it must be the name of a file"):
        voc_folder(str(tmp_path), "train", "val", None, 0.2, 0)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["cat", "do\ng"], r"dataset\.class_names has the class name 'do\\ng' with a line break"),
        (["cat", ""], r"dataset\.class_names has the class name '', which is empty"),
        (["cat", "\ud800"], r"dataset\.class_names has the class name '\\ud800' with"),
        (["cat", None], r"dataset\.class_names has the class name None: it must be a text"),
    ],
)
def test_given_class_names(tmp_path: Path, names: list[Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        voc_folder(str(_voc(tmp_path)), "train", "val", names, 0.2, 0)


@pytest.mark.parametrize("name", ["[red]x[/]", "<b>", "$x$", "a|b", "\N{GRINNING FACE}", "שלום", "e" * 200])
def test_any_other_class_name_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    _named(name.replace("<", "&lt;"))(_voc(tmp_path))
    assert name in voc_folder(str(tmp_path), "train", "val", None, 0.2, 0).train.class_names


def _content() -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 50}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 10], "area": 9, "iscrowd": 0}],
    }


def _set(part: str, key: str, value: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda content: content[part][0].update({key: value})


def _read_coco(folder: Path, text: bytes) -> Any:
    (folder / "a.jpg").write_bytes(encoded_image(40, 50))
    (folder / "x.json").write_bytes(text)
    return coco_json(str(folder / "x.json"), str(folder), str(folder / "x.json"), str(folder))


COCO: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "name: line break": (_set("categories", "name", "a\nb"), r".*x\.json has the class name 'a\\nb' with a line break"),
    "name: surrogate": (_set("categories", "name", "\ud83d"), r".*x\.json has the class name '\\ud83d' with"),
    "name: empty": (_set("categories", "name", " "), r".*x\.json has the class name ' ', which is empty"),
    "name: null": (_set("categories", "name", None), r".*x\.json has the class name None: it must be a text"),
    "name: long": (_set("categories", "name", "c" * 5000), r".*x\.json has a class name of 5000 letters"),
    "name: twice": (_set("categories", "name", "dog"), r".*x\.json has two categories with the id 2 or the name dog"),
    "category id: twice": (_set("categories", "id", 2), r".*x\.json has two categories with the id 2"),
    "id: huge": (_set("images", "id", 10**400), r".*x\.json has the id 10+\.\.\. in image .* whole number"),
    "id: infinite": (_set("images", "id", float("inf")), r".*x\.json has the id inf in image"),
    "file_name: NUL": (_set("images", "file_name", "a\0.jpg"), r".*x\.json has the file_name 'a\\x00\.jpg'"),
    "file_name: surrogate": (_set("images", "file_name", "\ud800"), r".*x\.json has the file_name '\\ud800'"),
    "file_name: long": (_set("images", "file_name", "a" * 5000), r".*file_name 'a+\.\.\., which is longer than"),
    "file_name: a list": (_set("images", "file_name", ["a"]), r".*x\.json has the file_name \['a'\]: it must be"),
    "height: huge": (_set("images", "height", 10**400), r"The image a\.jpg in .*x\.json has height 10+\.\.\.: it must"),
    "height: true": (_set("images", "height", True), r"The image a\.jpg in .*x\.json has height True: it must"),
    "bbox: words": (_set("annotations", "bbox", ["a", 1, 2, 3]), r"Annotation 7 in .*has the bbox .*must be x, y"),
    "bbox: true": (_set("annotations", "bbox", [True, 1, 2, 3]), r"Annotation 7 in .*has the bbox .*must be x, y"),
    "bbox: huge": (_set("annotations", "bbox", [10**400, 1, 2, 3]), r"The box of annotation 7 .* not a finite number"),
    "bbox: negative": (_set("annotations", "bbox", [5, 5, -2, 3]), r"The box of annotation 7 .* is inverted"),
    "iscrowd: words": (_set("annotations", "iscrowd", "no"), r"Annotation 7 in .*has iscrowd 'no': it must be 0 or 1"),
    "iscrowd: 2": (_set("annotations", "iscrowd", "2"), r"Annotation 7 in .*has iscrowd '2': it must be 0 or 1"),
    "area: negative": (_set("annotations", "area", -4.5), r"Annotation 7 in .*has the area -4\.5: .*positive number"),
    "area: infinite": (_set("annotations", "area", float("inf")), r"Annotation 7 in .*has the area inf: .*positive"),
    "image_id: unknown": (_set("annotations", "image_id", 5), r"Annotation 7 in .* has the image_id 5, which"),
}


@pytest.mark.parametrize(("spoil", "sentence"), COCO.values(), ids=COCO)
def test_an_entry_of_a_coco_file(tmp_path: Path, spoil: Callable[[dict[str, Any]], Any], sentence: str) -> None:
    spoil(content := _content())
    with pytest.raises(UserError) as error:
        _read_coco(tmp_path, json.dumps(content).encode())
    assert re.match(sentence, str(error.value))
    assert len(str(error.value)) < 500
    str(error.value).encode()  # or the log could not take it


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "nested deeper than any COCO file"),
        (b'{"images":' * 100_000, "nested deeper than any COCO file"),
        (b'{"a": "\xe9"}', r"x\.json are not UTF-8 \(byte 8\): save them as JSON in UTF-8"),
        (b'{"a": ' + b"1" * 5000 + b"}", "are not readable JSON"),
        (b"", "are not readable JSON"),
        (b"\0" * 100, "are not readable JSON"),
        (b"{", "are not readable JSON"),
    ],
)
def test_what_is_no_json(tmp_path: Path, text: bytes, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        _read_coco(tmp_path, text)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_json_in_another_unicode_is_read(tmp_path: Path, encoding: str) -> None:
    assert len(_read_coco(tmp_path, json.dumps(_content()).encode(encoding)).train) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"bbox": ["5.0", "5", "2e1", " 10 "], "iscrowd": "0", "area": "9"},
            r"x\.json: 6 numbers are written as text, and taken as numbers; the first is in annotation 7",
        ),
        ({"iscrowd": "1"}, r"x\.json: 1 numbers are written as text"),
        ({"image_id": "1", "category_id": "1"}, r"x\.json: 2 numbers are written as text"),
    ],
)
def test_numbers_as_text_are_taken_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, changes: dict[str, Any], said: str
) -> None:
    content = _content()
    content["annotations"][0].update(changes)
    annotation = _read_coco(tmp_path, json.dumps(content).encode()).train.annotations[0]
    assert annotation.boxes[0].tolist() == pytest.approx([0.125, 0.1, 0.375, 0.5])
    assert annotation.crowd.tolist() == [changes.get("iscrowd") == "1"]
    assert len(caplog.messages) == 2  # of train, and of val, which is the same file here
    assert re.search(said, caplog.messages[0])


def test_annotation_ids_that_are_there_twice_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = _content()
    content["annotations"] += [{**content["annotations"][0], "bbox": [1, 1, 5, side]} for side in (5, 6)]
    assert len(_read_coco(tmp_path, json.dumps(content).encode()).train.annotations[0].labels) == 3
    assert "x.json: 2 annotations have the id of another one; the first is 7" in caplog.messages[0]


def test_a_folder_in_the_place_of_the_json(tmp_path: Path) -> None:
    (tmp_path / "x.json").mkdir()
    with pytest.raises(UserError, match=r"The annotations .*x\.json are a folder, not a file"):
        coco_json(str(tmp_path / "x.json"), str(tmp_path), str(tmp_path / "x.json"), str(tmp_path))
