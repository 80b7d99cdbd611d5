"""What is written as COCO, YOLO or VOC is read back the same."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fake_voc import encoded_image
from helpers.label_files import DRAWN, image, text, yolo
from helpers.layouts import LAYOUTS
from ssd.data.folder.convert import beside, convert
from ssd.data.folder.reader import folder
from ssd.data.readers.coco_json import coco_json
from ssd.data.sample import Annotation, Dataset, Splits
from ssd.environment import ROOT
from ssd.errors import UserError

KINDS = ["coco", "yolo", "voc"]
CLASSES = ("cat", "gray wolf", "Kätzchen & Co <1>", "no")
IMAGES = {(height, width): encoded_image(height, width) for height in (30, 47) for width in (33, 64)}


@st.composite
def annotations(draw: st.DrawFn, number: int) -> Annotation:
    height, width = draw(st.sampled_from(sorted(IMAGES)))
    count = draw(st.integers(0, 4))
    sides = st.lists(st.integers(0, 400), min_size=4, max_size=4, unique=True)
    boxes = np.array([sorted(draw(sides)) for _ in range(count)], np.float32).reshape(count, 4) / np.float32(400)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * height * width
    labels = draw(st.lists(st.integers(0, len(CLASSES) - 1), min_size=count, max_size=count))
    flags = np.zeros(count, bool)
    return Annotation(f"a/{number}.jpg", height, width, boxes, np.array(labels, np.int32), flags, flags, area)


def dataset(name: str, found: list[Annotation]) -> Dataset:
    return Dataset(name, CLASSES, found, [IMAGES[item.height, item.width] for item in found].__getitem__)


def parts(splits: Splits) -> dict[str, Dataset]:
    return {"train": splits.train, "val": splits.val}


@settings(max_examples=25, deadline=None)
@given(st.data(), st.sampled_from(KINDS))
def test_there_and_back(data: st.DataObject, kind: str) -> None:
    first = Annotation("a/x.jpg", 30, 33, np.array([[0, 0, 1, 1]], np.float32), *_columns(1))
    train = [first, *(data.draw(annotations(i)) for i in range(data.draw(st.integers(0, 3))))]
    val = [data.draw(annotations(10 + i)) for i in range(data.draw(st.integers(1, 3)))]
    splits = Splits(dataset("pets:train", train), dataset("pets:val", val))
    with tempfile.TemporaryDirectory() as place:
        target = Path(place) / "pets"
        convert(parts(splits), target, kind)
        again = folder(str(target))
        assert {path.name for path in Path(place).iterdir()} == {"pets"}
        for before, after in ((splits.train, again.train), (splits.val, again.val)):
            found = {Path(item.id).name: (row, item) for row, item in enumerate(after.annotations)}
            assert len(found) == len(before)
            for row, item in enumerate(before.annotations):
                place_of, back = found[Path(item.id).name]
                assert after.read(place_of) == before.read(row)
                assert [after.class_names[i] for i in back.labels] == [CLASSES[i] for i in item.labels]
                sides = np.tile([item.height, item.width], 2)
                np.testing.assert_allclose(back.boxes * sides, item.boxes * sides, atol=2e-4)


def _columns(count: int) -> tuple[np.ndarray, ...]:
    flags = np.zeros(count, bool)
    return np.zeros(count, np.int32), flags, flags, np.ones(count, np.float32)


@pytest.mark.parametrize("layout", ["voc devkit", "createml", "open images"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_written_beside(tmp_path: Path, layout: str, kind: str) -> None:
    LAYOUTS[layout][0](tmp_path / "pets", DRAWN)
    splits = folder(str(tmp_path / "pets"))
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "pets").rglob("*")}
    target = beside(str(tmp_path / "pets"), kind)
    assert target == tmp_path / f"pets_{kind}"
    convert(parts(splits), target, kind)
    again = folder(str(target))
    assert (len(again.train), len(again.val)) == (6, 3)
    assert again.train.class_names == ("cat", "dog")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "pets").rglob("*")} == before
    with pytest.raises(UserError, match=f"pets_{kind} exists: move it away"):
        convert(parts(splits), target, kind)


def test_flags_that_a_format_has_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    boxes = np.array([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], np.float32)
    flags, area = np.array([True, False]), np.array([240.0, 240], np.float32)
    item = Annotation("a.jpg", 30, 33, boxes, np.array([0, 1], np.int32), ~flags, flags, area)
    splits = Splits(dataset("pets:train", [item]), dataset("pets:val", [item]))
    for kind in KINDS:
        convert(parts(splits), tmp_path / kind, kind)
    assert [record.message for record in caplog.records if "pets:train" in record.message] == [
        "pets:train: 1 objects are not marked as difficult any more, as coco cannot.",
        "pets:train: 1 crowds are left out, which yolo has none of.",
        "pets:train: 1 objects are not marked as difficult any more, as yolo cannot.",
        "pets:train: 1 crowds are left out, which voc has none of.",
    ]
    back = coco_json(
        *(
            str(tmp_path / "coco" / part)
            for part in ("annotations/instances_train.json", "train", "annotations/instances_val.json", "val")
        )
    )
    assert back.train.annotations[0].crowd.tolist() == [True, False]
    assert back.train.annotations[0].areas.tolist() == [240, 240]
    assert folder(str(tmp_path / "voc")).train.annotations[0].difficult.tolist() == [True]


def test_images_of_one_name_get_others(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    for place, drawn in zip(("north", "south", "east"), DRAWN, strict=False):
        image(tmp_path / "pets" / place / "images", drawn, "a.jpg")
        text(tmp_path / "pets" / place / "labels" / "a.txt", yolo(drawn))
    splits = folder(str(tmp_path / "pets"))
    convert(parts(splits), tmp_path / "out", "voc")
    assert sorted(path.name for path in (tmp_path / "out" / "JPEGImages").iterdir()) == [
        "east_images_a.jpg",
        "north_images_a.jpg",
        "south_images_a.jpg",
    ]


def test_names_of_the_folder_beside(tmp_path: Path) -> None:
    text(tmp_path / "pets.tar.gz", "")
    text(tmp_path / "pets" / "data.yaml", "")
    assert beside(str(tmp_path / "pets.tar.gz"), "voc") == tmp_path / "pets_voc"
    assert beside(str(tmp_path / "pets" / "data.yaml"), "coco") == tmp_path / "pets_coco"
    with pytest.raises(UserError, match=r"dataset\.convert=yolov8 is no format that is written; did you mean 'yolo'"):
        convert({"train": dataset("a", []), "val": dataset("a", [])}, tmp_path / "x", "yolov8")


def test_beside_a_link_and_not_in_the_store_that_it_points_into(tmp_path: Path) -> None:
    store, home = tmp_path / "store", tmp_path / "my home"
    text(store / "v2" / "data.yaml", "")
    text(store / "cells.zip", "")
    home.mkdir()
    (home / "pets").symlink_to(store / "v2")
    (home / "a.zip").symlink_to(store / "cells.zip")
    assert beside(str(home / "pets"), "yolo") == home / "pets_yolo"
    assert beside(str(home / "a.zip"), "yolo") == home / "a_yolo"
    assert beside((home / "pets").as_uri(), "yolo") == home / "pets_yolo"
    assert beside(str(home / "pets" / "data.yaml"), "yolo") == home / "pets_yolo"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["bccd", "tiny_coco", "cards"])
def test_real_data_sets(tmp_path: Path, name: str, kind: str) -> None:
    path = ROOT.parent / "shared" / "data" / name
    if not path.is_dir():
        pytest.skip("needs the shared data")
    splits = folder(str(path), format="coco" if name == "tiny_coco" else "voc")
    convert(parts(splits), tmp_path / "there", kind)
    again = folder(str(tmp_path / "there"))
    for before, after in ((splits.train, again.train), (splits.val, again.val)):
        found = {Path(item.id).name: item for item in after.annotations}
        assert len(found) == len(before)
        for item in before.annotations:
            back = found[Path(item.id).name]
            kept = item.select(~item.crowd) if kind != "coco" else item
            assert [after.class_names[i] for i in back.labels] == [before.class_names[i] for i in kept.labels]
            sides = np.tile([item.height, item.width], 2)
            np.testing.assert_allclose(back.boxes * sides, kept.boxes * sides, atol=1e-3)
