"""Several formats in one folder: where they say the same one of them is read, and where they do not, none."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.fake_voc import annotation_xml, item
from helpers.label_files import DRAWN, TFOD, Drawn, image, table, text, tfod_rows, xml, yolo
from ssd.data.folder.reader import folder
from ssd.errors import UserError


def _xml_beside(root: Path, drawn: Sequence[Drawn] = DRAWN) -> None:
    for d in drawn:
        image(root / "images", d)
        text(root / "images" / f"{d.stem}.xml", xml(d))


def _csv(root: Path, drawn: Sequence[Drawn] = DRAWN, splits: Sequence[str] = ("train", "val")) -> None:
    for split in splits:
        table(root / "data" / f"{split}_labels.csv", TFOD, tfod_rows(d for d in drawn if d.split == split))


def _yolo(root: Path, drawn: Sequence[Drawn] = DRAWN) -> None:
    for d in drawn:
        text(root / "labels" / f"{d.stem}.txt", yolo(d))
    text(root / "data.yaml", "names: [cat, dog]")


def _moved(by: int) -> list[Drawn]:
    """The last object of the last image elsewhere."""
    *rest, last = DRAWN
    name, (left, top, right, bottom) = last.objects[-1]
    return [*rest, replace(last, objects=(*last.objects[:-1], (name, (left + by, top, right, bottom))))]


def _renamed() -> list[Drawn]:
    *rest, last = DRAWN
    return [*rest, replace(last, objects=tuple(("dog", box) for _, box in last.objects))]


def _said(root: Path, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.INFO, "ssd.data"):
        folder(str(root))
    return caplog.messages


def test_xml_and_the_csv_made_of_it_with_the_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As the tutorials of the Object Detection API leave them: only the CSV knows the splits."""
    _xml_beside(tmp_path)
    _csv(tmp_path)
    assert _said(tmp_path, caplog)[:3] == [
        "Pascal VOC XML (9 files, images/img 0.xml) and CSV of boxes (2 files, data/train_labels.csv) say the same: "
        "CSV of boxes is read; to choose: dataset.format=voc or dataset.format=tfod_csv",
        "found: CSV of boxes (train_labels.csv, val_labels.csv), 9 images",
        "splits: train 6 to train on, val 3 to validate on",
    ]


def test_of_two_that_know_as_much_the_one_that_can_say_more_is_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for d in DRAWN:
        image(tmp_path / d.split, d)
        text(tmp_path / d.split / f"{d.stem}.xml", xml(d))
    _csv(tmp_path)
    background = replace(DRAWN[0], stem="empty", objects=())  # which a CSV cannot name
    image(tmp_path / "train", background)
    text(tmp_path / "train" / "empty.xml", xml(background))
    assert _said(tmp_path, caplog)[1] == "found: Pascal VOC XML, 10 images"


def test_fractions_and_pixels_of_tools_that_count_from_0_and_from_1(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Objects in another order, sizes that no file states."""
    for d in DRAWN:
        image(tmp_path / "images", d)
        objects = [item(name, *box) for name, box in reversed(d.objects)]
        text(tmp_path / "annotations" / f"{d.stem}.xml", annotation_xml(d.file, (0, 0), objects))
    _yolo(tmp_path)
    assert _said(tmp_path, caplog)[1] == "found: Pascal VOC XML, 9 images"


@pytest.mark.parametrize(
    ("drawn", "splits", "difference"),
    [
        (_moved(2), ("train", "val"), "the objects of images/img 8.jpg are not the same"),
        (_renamed(), ("train", "val"), "the objects of images/img 8.jpg are not the same"),
        (DRAWN, ("train",), "only the Pascal VOC XML has objects of images/img 6.jpg"),
        ([*DRAWN, replace(DRAWN[0], stem="more")], ("train", "val"), "only the CSV .* has objects of images/more.jpg"),
    ],
    ids=["a box", "a class", "fewer images", "more images"],
)
def test_where_they_differ_none_is_read(
    tmp_path: Path, drawn: Sequence[Drawn], splits: Sequence[str], difference: str
) -> None:
    _xml_beside(tmp_path)
    _csv(tmp_path, drawn, splits)
    for d in drawn:
        image(tmp_path / "images", d)
    sentence = rf".* holds several formats, .*, not known to say the same \({difference}\): say which one to read by "
    with pytest.raises(UserError, match=sentence + r"dataset\.format=voc or dataset\.format=tfod_csv\.$"):
        folder(str(tmp_path))
    assert len(folder(str(tmp_path), format="voc").train) == 7  # and a part to validate on is made


def test_other_splits_are_a_difference(tmp_path: Path) -> None:
    _xml_beside(tmp_path)
    _csv(tmp_path)
    text(tmp_path / "ImageSets" / "Main" / "train.txt", "\n".join(d.stem for d in DRAWN[:7]))
    text(tmp_path / "ImageSets" / "Main" / "val.txt", "\n".join(d.stem for d in DRAWN[7:]))
    with pytest.raises(UserError, match=r"not known to say the same \(their splits are not the same\)"):
        folder(str(tmp_path))


def test_one_that_cannot_be_read_is_no_reason_to_read_the_other(tmp_path: Path) -> None:
    _xml_beside(tmp_path)
    _csv(tmp_path)
    file = tmp_path / "images" / "img 3.xml"
    text(file, "<annotation><object>")
    with pytest.raises(UserError, match=rf"\(The annotation {re.escape(str(file))} is not readable XML.*\): say which"):
        folder(str(tmp_path))
