"""dataset.on_error=skip: what cannot be used is left out, counted and listed; the rest is read as ever."""

import csv
import json
import logging
from pathlib import Path
from typing import Any

import pytest

from helpers.broken_voc import NAMED, Breaker, plant, write_sound
from helpers.fake_coco import instances
from helpers.fake_voc import encoded_image
from ssd.data.readers.coco_json import coco_json
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Splits
from ssd.data.sound import with_sound_images
from ssd.errors import UserError
from ssd.experiment.skipped import write_skipped

SIZE = (40, 50)


def _voc(root: Path, on_error: str) -> Splits:
    return voc_folder(str(root), "trainval", "test", NAMED, 0.2, 0, "cells", on_error)


def test_a_folder_with_every_fault_is_read_without_them(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    planted = plant(Breaker(write_sound(tmp_path / "cells")))
    with pytest.raises(UserError):
        _voc(tmp_path / "cells", "raise")
    splits = _voc(tmp_path / "cells", "skip")
    with pytest.raises(UserError, match=r"2 more images are damaged|1 more image is damaged"):
        with_sound_images(splits, "raise")
    sound = with_sound_images(splits, "skip")
    for part in (sound.train, sound.val):
        for index in range(len(part)):
            item = part.annotations[index]
            assert part[index].image.shape == (item.height, item.width, 3)
    caplog.clear()
    write_skipped(tmp_path, sound.problems)
    with (tmp_path / "skipped.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    left_out = (
        *("annotation-missing", "annotation-unreadable", "image-missing", "image-unreadable", "listed-twice"),
        *("object-malformed", "class-unknown", "box-not-finite", "box-inverted", "box-outside"),
    )
    expected = {kind: planted[kind] for kind in left_out}
    assert {kind: sum(row["kind"] == kind for row in rows) for kind in expected} == expected
    assert len(rows) == sum(expected.values())
    assert "4 image-unreadable" in caplog.messages[0]


def test_the_sentence_offers_it(tmp_path: Path) -> None:
    folder = Breaker(write_sound(tmp_path))
    folder.content(folder.train(), lambda data: data[:-2])
    splits = _voc(tmp_path, "raise")
    with pytest.raises(UserError, match=r"train00\.jpg cannot be decoded: .*; dataset\.on_error=skip leaves"):
        with_sound_images(splits, "raise")
    with pytest.raises(UserError, match=r"remove it from the data set\.$"):
        with_sound_images(splits, None)


def test_a_split_of_which_nothing_is_left_ends_the_run(tmp_path: Path) -> None:
    folder = Breaker(write_sound(tmp_path))
    for stem in folder.listed("test"):
        folder.content(stem, lambda data: data[:-2])
    with pytest.raises(UserError, match=r"No image of cells:test can be used; the first: .*val00"):
        with_sound_images(_voc(tmp_path, "skip"), "skip")


def test_nothing_is_written_where_nothing_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        write_skipped(tmp_path, _voc(write_sound(tmp_path / "cells"), "skip").problems)
    assert not (tmp_path / "skipped.csv").exists()
    assert not caplog.messages


def _coco(root: Path, content: dict[str, Any], on_error: str = "skip") -> Splits:
    (root / "images").mkdir(exist_ok=True)
    for number in range(1, 8):
        (root / "images" / f"{number:012d}.jpg").write_bytes(encoded_image(*SIZE, seed=number))
    for name, values in (("train", content), ("val", instances({6: [(1, [1, 1, 9, 9], 81.0, 0)]}))):
        (root / f"{name}.json").write_text(json.dumps(values))
    images = str(root / "images")
    return coco_json(str(root / "train.json"), images, str(root / "val.json"), images, on_error=on_error)


def _sound() -> dict[str, Any]:
    return instances({number: [(1, [1, 1, 9, 9], 81.0, 0), (17, [9, 9, 20, 20], 400.0, 0)] for number in range(1, 6)})


FAULTS: dict[str, tuple[str, Any, int, int]] = {
    # what is changed → kind of the problem, the change, images and objects that are left of 5 and 10
    "an image's id": ("image-malformed", lambda c: c["images"][0].update(id="one"), 4, 8),
    "an image's side": ("image-malformed", lambda c: c["images"][0].update(height=0), 4, 8),
    "an id twice": ("image-malformed", lambda c: c["images"][1].update(id=1), 4, 8),
    "a file twice": ("listed-twice", lambda c: c["images"][1].update(file_name=c["images"][0]["file_name"]), 4, 8),
    "a missing file": ("image-missing", lambda c: c["images"][0].update(file_name="gone.jpg"), 4, 8),
    "a short bbox": ("object-malformed", lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), 5, 9),
    "no bbox": ("object-malformed", lambda c: c["annotations"][0].pop("bbox"), 5, 9),
    "no object at all": ("object-malformed", lambda c: c["annotations"].append("box"), 5, 10),
    "an unknown image": ("object-malformed", lambda c: c["annotations"][0].update(image_id=99), 5, 9),
    "an unknown category": ("object-malformed", lambda c: c["annotations"][0].update(category_id=999), 5, 9),
    "a negative side": ("box-inverted", lambda c: c["annotations"][0].update(bbox=[20, 20, -9, -9]), 5, 9),
    "a box outside": ("box-outside", lambda c: c["annotations"][0].update(bbox=[90, 90, 9, 9]), 5, 9),
    "a box without width": ("box-empty", lambda c: c["annotations"][0].update(bbox=[1, 1, 0, 9]), 5, 9),
    "a repeated id": ("id-repeated", lambda c: c["annotations"][1].update(id=100), 5, 10),
    "text": ("number-as-text", lambda c: c["annotations"][1].update(category_id="17"), 5, 10),
}


@pytest.mark.parametrize(("kind", "change", "images", "objects"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_a_coco_file_is_noted_and_the_rest_is_read(
    tmp_path: Path, kind: str, change: Any, images: int, objects: int
) -> None:
    content = _sound()
    change(content)
    splits = _coco(tmp_path, content)
    found = [problem.kind for problem in splits.problems]
    # image 7 is in no file, and nor is one without an entry; objects of an id that is not right are of no image
    others = {"image-unlabelled"} | ({"object-malformed"} if kind == "image-malformed" else set())
    assert [name for name in found if name not in others] == [kind]
    assert len(splits.train) == images
    assert sum(len(item.labels) for item in splits.train.annotations) == objects


def test_an_image_in_no_coco_file_is_noted(tmp_path: Path) -> None:
    (problem,) = _coco(tmp_path, _sound(), "skip").problems
    assert (problem.kind, Path(problem.file).name, problem.left_out) == ("image-unlabelled", "000000000007.jpg", False)
