"""COCO instances files: what is read, and the message for everything that can be wrong with one."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.fake_voc import encoded_image
from ssd.data.readers.coco_json import coco_json
from ssd.data.sample import Splits
from ssd.environment import ROOT
from ssd.errors import UserError

SHARED = ROOT.parent / "shared" / "data"


def _content() -> dict[str, Any]:
    return {
        "images": [
            {"id": 9, "file_name": "b.jpg", "height": 40, "width": 50},
            {"id": 4, "file_name": "a.jpg", "height": 20, "width": 10},
        ],
        "categories": [{"id": 90, "name": "toothbrush"}, {"id": 3, "name": "car"}, {"id": 17, "name": "cat"}],
        "annotations": [
            {"id": 1, "image_id": 9, "category_id": 90, "bbox": [5, 10, 20, 10], "area": 120.5, "iscrowd": 0},
            {"id": 2, "image_id": 9, "category_id": 3, "bbox": [0, 0, 50, 40], "iscrowd": 1},
        ],
    }


def _write(folder: Path, content: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for image in _content()["images"]:
        (folder / image["file_name"]).write_bytes(encoded_image(image["height"], image["width"]))
    (folder / "instances.json").write_text(json.dumps(content))
    return folder


def _read(tmp_path: Path, content: dict[str, Any], val: dict[str, Any] | None = None) -> Splits:
    train = _write(tmp_path / "train", content)
    other = _write(tmp_path / "val", val or _content())
    return coco_json(str(train / "instances.json"), str(train), str(other / "instances.json"), str(other))


def test_labels_are_contiguous_in_the_order_of_the_ids(tmp_path: Path) -> None:
    splits = _read(tmp_path, _content())
    assert splits.train.class_names == splits.val.class_names == ("car", "cat", "toothbrush")
    b, a = splits.train.annotations
    assert b.labels.tolist() == [2, 0]
    assert b.crowd.tolist() == [False, True]
    assert not b.difficult.any()
    np.testing.assert_allclose(b.boxes, [[0.25, 0.1, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0]], rtol=1e-6)
    np.testing.assert_allclose(b.areas, [120.5, 2000])
    assert (a.id, a.height, a.width, a.boxes.shape) == ("a.jpg", 20, 10, (0, 4))
    assert splits.train[1].image.shape == (20, 10, 3)


def test_boxes_without_a_side_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = _content()
    for number, box in ((70, [5, 5, 0, 4]), (71, [5, 5, 3, 0])):
        content["annotations"].insert(0, {"id": number, "image_id": 4, "category_id": 3, "bbox": box})
    with caplog.at_level(logging.WARNING):
        splits = _read(tmp_path, content)
    assert [len(annotation.labels) for annotation in splits.train.annotations] == [2, 0]
    assert len(caplog.records) == 1
    assert "2 boxes without width or height are left out: annotations 71, 70" in caplog.text


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([5, 5, -3, 4], "inverted"),
        ([5, 5, 3, -4], "inverted"),
        ([5, float("nan"), 3, 4], "not a finite number"),
        ([60, 5, 3, 4], "outside its image"),
        ([5, 5, 3], "must be x, y, width and height"),
        ([5, 5, 3, None], "must be x, y, width and height"),
        (None, "must be x, y, width and height"),
    ],
)
def test_a_wrong_box_names_its_annotation(tmp_path: Path, box: Any, message: str) -> None:
    content = _content()
    content["annotations"][1]["bbox"] = box
    with pytest.raises(UserError, match=rf"(?i)annotation 2 .*instances\.json.*{message}"):
        _read(tmp_path, content)


def test_boxes_over_the_border_by_rounding_are_clipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    content = _content()
    content["annotations"][0]["bbox"] = [-0.001, 30, 20, 10.004]
    splits = _read(tmp_path, content)
    np.testing.assert_allclose(splits.train.annotations[0].boxes[0], [0.75, 0, 1, 0.4], atol=1e-4)
    assert splits.train.annotations[0].boxes.max() == 1
    assert not caplog.records


@pytest.mark.parametrize(("key", "value"), [("image_id", 5), ("category_id", 2)])
def test_an_annotation_of_nothing_known_is_named(tmp_path: Path, key: str, value: int) -> None:
    content = _content()
    content["annotations"][0][key] = value
    with pytest.raises(UserError, match=f"Annotation 1 in .* has the {key} {value}, which the file does not list"):
        _read(tmp_path, content)


@pytest.mark.parametrize(
    ("part", "key"),
    [("images", "file_name"), ("images", "height"), ("images", "id"), ("annotations", "bbox"),
     ("annotations", "image_id"), ("annotations", "category_id"), ("categories", "name"), ("categories", "id")],
)  # fmt: skip
def test_a_missing_key_is_named(tmp_path: Path, part: str, key: str) -> None:
    content = _content()
    del content[part][0][key]
    with pytest.raises(UserError, match=rf"entry of .*instances\.json has no '{key}'"):
        _read(tmp_path, content)


@pytest.mark.parametrize("part", ["images", "annotations", "categories"])
def test_a_missing_list_is_refused(tmp_path: Path, part: str) -> None:
    content = _content()
    del content[part]
    with pytest.raises(UserError, match="is not a COCO instances file"):
        _read(tmp_path, content)


def test_contradictions_are_refused(tmp_path: Path) -> None:
    content = _content()
    content["images"][1]["id"] = 9
    with pytest.raises(UserError, match=r"two images with the id 9, b\.jpg and a\.jpg"):
        _read(tmp_path, content)
    content = _content()
    content["categories"][0]["id"] = 3
    with pytest.raises(UserError, match="no id or name of a category twice"):
        _read(tmp_path, content)
    content = _content()
    content["images"][0]["width"] = 0
    with pytest.raises(UserError, match=r"b\.jpg .* has width 0"):
        _read(tmp_path, content)
    content["images"] = []
    with pytest.raises(UserError, match="lists no images"):
        _read(tmp_path, content)


def test_both_files_need_the_same_categories(tmp_path: Path) -> None:
    val = _content()
    val["categories"][2]["name"] = "dog"
    with pytest.raises(UserError, match=r"different categories \(cat, dog\)"):
        _read(tmp_path, _content(), val)


def test_missing_files_are_named(tmp_path: Path) -> None:
    content = _content()
    content["images"].append({"id": 5, "file_name": "gone.jpg", "height": 1, "width": 1})
    with pytest.raises(UserError, match=r"lists gone\.jpg, not found in"):
        _read(tmp_path, content)
    train = _write(tmp_path / "train", _content())
    with pytest.raises(UserError, match=r"no\.json do not exist"):
        coco_json(str(train / "no.json"), str(train), str(train / "instances.json"), str(train))
    with pytest.raises(UserError, match=r"dataset\.train_images=.*nowhere is not a folder"):
        coco_json(str(train / "instances.json"), str(train / "nowhere"), str(train / "instances.json"), str(train))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "\xff"])
def test_what_is_no_instances_json_is_refused(tmp_path: Path, text: str) -> None:
    train = _write(tmp_path / "train", _content())
    (train / "bad.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match=r"bad\.json (are not readable JSON|is not a COCO)|The annotations .*bad\.json"):
        coco_json(str(train / "bad.json"), str(train), str(train / "instances.json"), str(train))


def test_images_in_subfolders_are_found(tmp_path: Path) -> None:
    content = _content()
    content["images"][0]["file_name"] = "deep/b.jpg"
    (tmp_path / "train" / "deep").mkdir(parents=True)
    (tmp_path / "train" / "deep" / "b.jpg").write_bytes(encoded_image(40, 50))
    assert _read(tmp_path, content).train[0].image.shape == (40, 50, 3)


def test_tiny_coco_is_read_whole() -> None:
    root = SHARED / "tiny_coco"
    if not root.is_dir():
        pytest.skip("needs the shared data")
    parts = [
        str(root / part)
        for split in ("train2017", "val2017")
        for part in (f"annotations/instances_{split}.json", split)
    ]
    splits = coco_json(*parts)
    assert (len(splits.train), len(splits.val), len(splits.train.class_names)) == (50, 50, 80)
    assert sum(int(annotation.crowd.sum()) for annotation in splits.val.annotations) == 5
    assert splits.val[3].image.shape == (splits.val.annotations[3].height, splits.val.annotations[3].width, 3)


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        ("images", "file_name", "../../outside.jpg", "which leads out of the folder of the images"),
        ("images", "file_name", "/etc/passwd", "which leads out of the folder of the images"),
        ("images", "file_name", ["a.jpg"], "it must be the name of a file"),
        ("images", "id", [1], r"has the id \[1\] in image"),
        ("categories", "id", "seven", "has the id 'seven' in category"),
        ("categories", "id", True, "has the id True in category"),
        ("annotations", "image_id", {}, r"has the image_id \{\} in annotation"),
        ("annotations", "category_id", 1.5, "has the category_id 1.5 in annotation"),
        ("annotations", "area", "large", "has the area 'large'"),
        ("annotations", "area", -4.0, "has the area -4.0"),
        ("annotations", "iscrowd", "no", "has iscrowd 'no'"),
        ("annotations", "bbox", "1234", "has the bbox '1234'"),
    ],
)
def test_values_of_another_kind_are_named(tmp_path: Path, part: str, key: str, value: Any, message: str) -> None:
    content = _content()
    content[part][0][key] = value
    with pytest.raises(UserError, match=message):
        _read(tmp_path, content)


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    file = _write(tmp_path, _content()) / "instances.json"
    file.write_text("[" * 100_000)
    with pytest.raises(UserError, match="nested deeper than any COCO file"):
        coco_json(str(file), str(tmp_path), str(file), str(tmp_path))


def test_ids_may_be_written_as_text(tmp_path: Path) -> None:
    content = _content()
    for annotation in content["annotations"]:
        annotation["image_id"] = str(annotation["image_id"])
    assert sum(len(item.labels) for item in _read(tmp_path, content).train.annotations) > 0
