"""Folders in VOC layout: what is read, and the message for everything that can be wrong with one."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.fake_voc import annotation_xml, encoded_image, item, write_voc
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.readers.voc_xml import parse_voc_xml
from ssd.data.sample import Splits
from ssd.environment import ROOT
from ssd.errors import UserError

SHARED = ROOT.parent / "shared" / "data"

IMAGES = {
    "one": [item("dog", 11, 5, 30, 20), item("cat", 1, 1, 50, 40, difficult=True)],
    "two": [item("bird", 10.5, 5.5, 30, 20)],
    "three": [],
    "four": [item("dog", 1, 1, 10, 10)],
}
SPLITS = {"train": ["one", "three"], "val": ["two", "four"]}


def _read(root: Path, train: str = "train", val: str = "val", class_names: list[str] | None = None) -> Splits:
    return voc_folder(str(root), train, val, class_names, val_fraction=0.25, seed=0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_voc(tmp_path / "set", IMAGES, SPLITS)


def _rewrite(root: Path, stem: str, *items: tuple[str, str, str, str, str, bool]) -> None:
    (root / "Annotations" / f"{stem}.xml").write_text(annotation_xml(f"{stem}.jpg", (40, 50), items))


def test_pixels_count_from_one_and_both_ends_belong_to_the_object(root: Path) -> None:
    splits = _read(root)
    one, three = splits.train.annotations
    np.testing.assert_allclose(one.boxes, [[4 / 40, 10 / 50, 20 / 40, 30 / 50], [0.0, 0.0, 1.0, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(splits.val.annotations[0].boxes, [[4.5 / 40, 9.5 / 50, 20 / 40, 30 / 50]], rtol=1e-6)
    np.testing.assert_allclose(one.areas, [20 * 16, 2000], rtol=1e-6)
    assert one.difficult.tolist() == [False, True]
    assert not one.crowd.any()
    assert (one.id, one.height, one.width) == ("one.jpg", 40, 50)
    assert three.boxes.shape == (0, 4)


def test_class_names_are_those_of_both_splits_sorted(root: Path) -> None:
    splits = _read(root)
    assert splits.train.class_names == splits.val.class_names == ("bird", "cat", "dog")
    assert splits.train.annotations[0].labels.tolist() == [2, 1]


def test_given_class_names_keep_their_order(root: Path) -> None:
    splits = _read(root, class_names=["dog", "horse", "cat", "bird"])
    assert splits.train.class_names == ("dog", "horse", "cat", "bird")
    assert splits.train.annotations[0].labels.tolist() == [0, 2]


def test_images_are_decoded_when_asked_for(root: Path) -> None:
    sample = _read(root).val[1]
    assert sample.image.shape == (40, 50, 3)
    assert sample.annotation.id == "four.jpg"


def test_bccd_is_read_whole() -> None:
    if not (SHARED / "bccd").is_dir():
        pytest.skip("needs the shared data")
    splits = _read(SHARED / "bccd", "trainval", "test")
    assert (len(splits.train), len(splits.val)) == (292, 72)
    assert splits.train.class_names == ("Platelets", "RBC", "WBC")
    assert sum(len(a.labels) for split in (splits.train, splits.val) for a in split.annotations) == 4888
    assert splits.val[0].image.shape == (480, 640, 3)


@pytest.mark.parametrize("name", ["two.JPG", "two.jpeg", "two.Png"])
def test_image_extensions_of_any_case(root: Path, name: str) -> None:
    (root / "JPEGImages" / "two.jpg").rename(root / "JPEGImages" / name)
    dataset = _read(root).val
    assert dataset.annotations[0].id == name
    assert dataset[0].image.shape == (40, 50, 3)


def test_an_image_named_only_by_filename_is_found(root: Path) -> None:
    (root / "JPEGImages" / "two.jpg").rename(root / "JPEGImages" / "other.jpg")
    xml = root / "Annotations" / "two.xml"
    xml.write_text(xml.read_text().replace("two.jpg", "other.jpg"))
    assert _read(root).val.annotations[0].id == "other.jpg"


def test_lists_may_be_per_class_and_names_may_have_spaces(tmp_path: Path) -> None:
    images = {"a b": IMAGES["one"], "c": IMAGES["two"]}
    root = write_voc(tmp_path, images, {"train": ["a b"], "dog_val": ["c -1"]})
    splits = _read(root, val="dog_val")
    assert [a.id for a in (*splits.train.annotations, *splits.val.annotations)] == ["a b.jpg", "c.jpg"]


def test_the_image_decides_its_size(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    (root / "JPEGImages" / "one.jpg").write_bytes(encoded_image(80, 100))
    xml = root / "Annotations" / "two.xml"
    xml.write_text(xml.read_text().replace("<width>50", "<width>0").replace("<height>40", "<height>"))
    with caplog.at_level(logging.WARNING):
        splits = _read(root)
    assert (splits.train.annotations[0].height, splits.train.annotations[0].width) == (80, 100)
    np.testing.assert_allclose(splits.train.annotations[0].boxes[1], [0, 0, 0.5, 0.5])
    assert (splits.val.annotations[0].height, splits.val.annotations[0].width) == (40, 50)
    assert len(caplog.records) == 1
    assert "1 annotations state another size" in caplog.text
    assert "one.xml" in caplog.text


def test_boxes_over_the_border_are_clipped_with_one_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    _rewrite(root, "one", item("dog", 0, 5, 53, 20), item("cat", 5, 5, 9, 41))
    with caplog.at_level(logging.WARNING):
        splits = _read(root)
    np.testing.assert_allclose(splits.train.annotations[0].boxes[0], [0.1, 0, 0.5, 1], rtol=1e-6)
    assert len(caplog.records) == 1
    assert "2 of 2 boxes reach outside" in caplog.text
    assert "object 1 (dog)" in caplog.text
    assert "one.xml" in caplog.text


@pytest.mark.parametrize(
    ("corners", "message"),
    [
        ((5, 5, "nan", 9), "not a finite number"),
        ((9, 5, 5, 9), "inverted"),
        ((5, 9, 9, 5), "inverted"),
        ((60, 5, 70, 9), "outside its image"),
        ((5, "", 9, 9), r"<ymin> of object 2 \(dog\) .* not a number"),
        ((5, 5, "wide", 9), r"<xmax> of object 2 \(dog\) .* not a number"),
    ],
)
def test_a_wrong_box_names_file_and_object(root: Path, corners: tuple[float | str, ...], message: str) -> None:
    _rewrite(root, "one", item("cat", 5, 5, 9, 9), item("dog", *corners))
    with pytest.raises(UserError, match=message) as caught:
        _read(root)
    assert "object 2 (dog)" in str(caught.value)
    assert "one.xml" in str(caught.value)


def test_a_single_pixel_is_an_object() -> None:
    """BCCD has two of them: a click without a drag. VOC's pixels are inclusive, so xmin = xmax is one pixel wide."""
    if not (SHARED / "bccd").is_dir():
        pytest.skip("needs the shared data")
    annotation = next(a for a in _read(SHARED / "bccd", "trainval", "test").train.annotations if "00338" in a.id)
    assert annotation.areas.min() == pytest.approx(1.0, rel=1e-3)


def test_an_unknown_class_suggests_the_nearest(root: Path) -> None:
    with pytest.raises(UserError, match=r"one\.xml has the class cat, .* did you mean 'cats'\?"):
        _read(root, class_names=["dog", "cats", "bird"])
    with pytest.raises(UserError, match="none of them twice"):
        _read(root, class_names=["dog", "dog"])


def test_missing_files_are_named(root: Path) -> None:
    (root / "JPEGImages" / "two.jpg").unlink()
    with pytest.raises(UserError, match=r"two\.xml has no image: .*two\.jpg"):
        _read(root)
    (root / "Annotations" / "one.xml").unlink()
    with pytest.raises(UserError, match=r"one\.xml does not exist"):
        _read(root)


@pytest.mark.parametrize("text", ["", "<annotation><object>", "no xml", "\x00\x01"])
def test_broken_xml_is_named(root: Path, text: str) -> None:
    (root / "Annotations" / "two.xml").write_text(text)
    with pytest.raises(UserError, match=r"two\.xml is not readable XML"):
        _read(root)


@pytest.mark.parametrize(("old", "message"), [("<name>bird</name>", "has no <name>"), ("bndbox", "has no <bndbox>")])
def test_an_object_without_a_part_is_named(root: Path, old: str, message: str) -> None:
    xml = root / "Annotations" / "two.xml"
    xml.write_text(xml.read_text().replace(old, "" if old.startswith("<") else "box"))
    with pytest.raises(UserError, match=rf"Object 1.*two\.xml {message}"):
        _read(root)


def test_an_image_file_that_is_none_is_named(root: Path) -> None:
    (root / "JPEGImages" / "two.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"two\.jpg cannot be read"):
        _read(root)


def test_an_unknown_split_suggests_the_nearest_and_an_empty_one_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.val=vall is not a split in .*Main; did you mean 'val'\?"):
        _read(root, val="vall")
    (root / "ImageSets" / "Main" / "val.txt").write_text("\n \n")
    with pytest.raises(UserError, match=r"val\.txt is empty"):
        _read(root)


def test_an_image_listed_twice_is_refused(root: Path) -> None:
    (root / "ImageSets" / "Main" / "val.txt").write_text("two\nfour\ntwo\n")
    with pytest.raises(UserError, match=r"voc_folder:val lists the image two\.jpg twice"):
        _read(root)


def test_without_lists_the_split_is_seeded_and_complete(root: Path) -> None:
    shutil.rmtree(root / "ImageSets")
    splits = _read(root)
    parts = [{a.id for a in dataset.annotations} for dataset in (splits.train, splits.val)]
    assert [len(part) for part in parts] == [3, 1]
    assert parts[0] | parts[1] == {"one.jpg", "two.jpg", "three.jpg", "four.jpg"}
    assert [a.id for a in _read(root).val.annotations] == [a.id for a in splits.val.annotations]
    drawn = {voc_folder(str(root), "train", "val", None, 0.25, seed).val.annotations[0].id for seed in range(20)}
    assert len(drawn) > 1


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0])
def test_a_fraction_outside_its_range_is_refused(root: Path, fraction: float) -> None:
    shutil.rmtree(root / "ImageSets")
    with pytest.raises(UserError, match=r"dataset\.val_fraction"):
        voc_folder(str(root), "train", "val", None, fraction, 0)


def test_a_folder_in_another_layout_is_refused_with_a_hint(root: Path) -> None:
    with pytest.raises(UserError, match=rf"has no folder Annotations: .*perhaps {root}"):
        _read(root.parent)
    with pytest.raises(UserError, match="has no folder Annotations"):
        _read(root / "nowhere")


def test_annotations_without_any_object_are_refused(tmp_path: Path) -> None:
    root = write_voc(tmp_path, {"a": [], "b": []}, {"train": ["a"], "val": ["b"]})
    with pytest.raises(UserError, match="no class to learn"):
        _read(root)


def test_nothing_of_the_users_is_changed(root: Path) -> None:
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}
    splits = _read(root)
    for dataset in (splits.train, splits.val):
        for i in range(len(dataset)):
            dataset[i]
    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY x SYSTEM "file:///etc/passwd">',
        '<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {n} "{f"&{m};" * 100}">' for m, n in zip("abcde", "bcdef", strict=True))
        + '<!ENTITY x "&f;">',
    ],
    ids=["external", "bomb"],
)
def test_entities_are_refused(tmp_path: Path, entities: str) -> None:
    file = tmp_path / "a.xml"
    file.write_text(f"<!DOCTYPE annotation [{entities}]><annotation><filename>&x;</filename></annotation>")
    with pytest.raises(UserError, match=r"a\.xml is not readable XML"):
        parse_voc_xml(file)
