"""Blocks of a COCO file: whatever is in it, the fast way gives or says the same as the way entry by entry."""

import json
import logging
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fake_voc import encoded_image
from ssd.data.digest import annotation_digest
from ssd.data.listening import listening
from ssd.data.readers import coco_blocks
from ssd.data.readers import coco_json as reader
from ssd.errors import UserError

NUMBERS = st.sampled_from([0, 1, 2, 5, 7.5, 39.99, -0.0, -3, "5", "1e1", "x", True, None, 1e300, 10**400, float("nan")])
GOOD = st.floats(0, 20, width=16)
BOXES = st.lists(GOOD, min_size=4, max_size=4) | st.lists(NUMBERS, min_size=3, max_size=5) | st.none()
OBJECTS = st.fixed_dictionaries(
    {"id": st.integers(0, 3) | NUMBERS, "image_id": st.sampled_from([1, 2]), "category_id": st.sampled_from([1, 2]),
     "bbox": st.lists(GOOD, min_size=4, max_size=4)},
    optional={"area": GOOD | st.none(), "iscrowd": st.sampled_from([0, 1, True, None]), "segmentation": st.just([[1]])},
)  # fmt: skip
WRONG = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("image_id", "category_id", "area", "iscrowd"), NUMBERS) | {"bbox": BOXES}
)
IMAGES = [{"id": k, "file_name": f"{k}.jpg", "height": 40, "width": 50} for k in (1, 2)]


def _outcome(folder: Path) -> tuple[Any, list[str]]:
    """What is read of a file, or what is wrong with it; and what is said."""
    file = str(folder / "x.json")
    with listening() as heard:
        try:
            train = reader.coco_json(file, str(folder), file, str(folder)).train
            outcome: Any = annotation_digest(train), train.columns.areas.tolist()
        except UserError as error:
            outcome = str(error)
    return outcome, [record.getMessage() for record in heard]


@pytest.fixture(scope="module")
def folder() -> Any:
    with TemporaryDirectory() as place:
        for image in IMAGES:
            (Path(place) / str(image["file_name"])).write_bytes(encoded_image(40, 50))
        yield Path(place)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(OBJECTS | st.tuples(OBJECTS, WRONG).map(lambda pair: {**pair[0], **pair[1]}), max_size=7),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "height", "width", "file_name"), NUMBERS)),
)
def test_both_ways_are_one(folder: Path, objects: list[dict[str, Any]], change: dict[str, Any]) -> None:
    content = {"images": [IMAGES[0], {**IMAGES[1], **change}], "annotations": objects,
               "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}  # fmt: skip
    (folder / "x.json").write_text(json.dumps(content))
    with patch.object(coco_blocks, "_ENTRIES", 2):
        fast = _outcome(folder)
    with patch.object(reader, "split_entries", lambda _: None):
        assert fast == _outcome(folder)


def test_a_good_file_is_read_in_blocks_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = {"bbox": [1, 2.5, 3, 4], "segmentation": [[1, 2]], "category_id": 1, "image_id": 2}
    annotations = [{**box, "id": k, "iscrowd": k % 2, "area": k} for k in range(5)]
    content = {"images": IMAGES, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
    (folder / "x.json").write_text(json.dumps(content))
    monkeypatch.setattr(coco_blocks, "_ENTRIES", 2)
    monkeypatch.setattr(coco_blocks.json, "loads", None)
    file = str(folder / "x.json")
    columns = reader.coco_json(file, str(folder), file, str(folder)).train.columns
    assert columns.starts.tolist() == [0, 0, 5]
    assert columns.crowd.tolist() == [False, True, False, True, False]
    assert columns.areas.tolist() == [12, 1, 2, 3, 4]  # 0: of the box
    assert columns.boxes[0].tolist() == pytest.approx([2.5 / 40, 1 / 50, 6.5 / 40, 4 / 50])


def test_what_is_left_out_is_named_by_its_place_in_the_file(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    box = {"bbox": [1, 2, 3, 4], "category_id": 1, "image_id": 2}
    content = {"images": IMAGES, "annotations": [box, box, box, {**box, "bbox": [1, 2, 0, 4]}],
               "categories": [{"id": 1, "name": "a"}]}  # fmt: skip
    (folder / "x.json").write_text(json.dumps(content))
    file = str(folder / "x.json")
    with patch.object(coco_blocks, "_ENTRIES", 2), caplog.at_level(logging.WARNING):
        reader.coco_json(file, str(folder), file, str(folder))
    assert "1 boxes without width or height are left out: annotations at position 3" in caplog.text
