"""What is odd in a data set but can be trained on is said once, with counts; what is not odd is not mentioned."""

import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from helpers.fake_coco import instances
from helpers.fake_voc import Item, encoded_image, item, write_voc
from ssd.data.oddities import say_oddities
from ssd.data.readers.coco_json import coco_json
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Splits
from ssd.experiment.splits import build_splits, read_ahead

CAT, DOG = item("cat", 2, 2, 20, 20), item("dog", 5, 5, 30, 35)
BOTH = [CAT, DOG]
TRAIN, VAL = ("a", "b"), ("c", "d")


def _named(name: str) -> Item:
    return item(name, 1, 1, 30, 30)


def _read(
    root: Path, images: dict[str, Sequence[Item]], train: Sequence[str] = TRAIN, val: Sequence[str] = VAL
) -> Splits:
    write_voc(root, dict.fromkeys("abcd", BOTH) | images, {"train": train, "val": val})
    return voc_folder(str(root), "train", "val", None, 0.2, 0, "pets")


# kind → objects of images that differ from a cat and a dog in each, the two splits, what is said of it.
KINDS: dict[str, tuple[dict[str, Sequence[Item]], Sequence[str], Sequence[str], str]] = {
    "an object twice": (
        {"b": [DOG, CAT, CAT, DOG, CAT]},
        TRAIN,
        VAL,
        r"pets:train: 3 objects are there twice, .*; the first is cat in .*JPEGImages/b\.jpg\.",
    ),
    "background": (
        {stem: [*BOTH, _named("__background__")] for stem in "abcd"},
        TRAIN,
        VAL,
        "pets: a class is named '__background__', and is learned as objects",
    ),
    "null": ({stem: [*BOTH, _named("NULL")] for stem in "abcd"}, TRAIN, VAL, "pets: a class is named 'NULL'"),
    "none": ({stem: [*BOTH, _named("none")] for stem in "abcd"}, TRAIN, VAL, "pets: a class is named 'none'"),
    "capitals": (
        {stem: [*BOTH, _named("Cat")] for stem in "abcd"},
        TRAIN,
        VAL,
        "pets: 1 classes differ only in capitals or blanks: 'Cat' and 'cat'",
    ),
    "only in val": (
        {"c": [_named("bird"), _named("ant"), item("bird", 2, 2, 9, 9)]},
        TRAIN,
        VAL,
        r"2 of 4 classes have objects in pets:val and none in pets:train: ant \(1\), bird \(2\); they cannot",
    ),
    "only in train": (
        {"a": [*BOTH, _named("bird")]},
        TRAIN,
        VAL,
        r"1 of 3 classes have objects in pets:train and none in pets:val: bird \(1\); they are not measured",
    ),
    "an image in both": (
        {},
        TRAIN,
        ("c", "a"),
        r"1 of the 2 images of pets:val are in pets:train too, such as a\.jpg: the validation is not a fair one",
    ),
    "no object to find": (
        {"c": [], "d": []},
        TRAIN,
        VAL,
        "pets:val: no image has an object: there is nothing to learn",
    ),
}


@pytest.mark.parametrize(("images", "train", "val", "said"), KINDS.values(), ids=KINDS)
def test_an_oddity_is_said_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    images: dict[str, Sequence[Item]],
    train: Sequence[str],
    val: Sequence[str],
    said: str,
) -> None:
    say_oddities(_read(tmp_path, images, train, val))
    assert len(caplog.messages) == 1
    assert re.match(said, caplog.messages[0])


def test_nothing_is_said_of_an_ordinary_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    splits = _read(
        tmp_path, {"a": [CAT, DOG, item("cat", 2, 2, 20, 21), item("cow", 2, 2, 20, 20)], "c": [_named("cow")]}
    )
    with caplog.at_level(logging.INFO):
        say_oddities(splits)
    assert not caplog.messages


def test_images_without_objects_are_a_note_and_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        say_oddities(_read(tmp_path, {"a": []}))
    assert caplog.messages == ["pets:train: 1 of 2 images have no objects; they are background."]
    assert caplog.records[0].levelno == logging.INFO


def test_one_split_for_both_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_voc(tmp_path, {stem: [CAT, CAT] for stem in "ab"}, {"train": "ab"})
    say_oddities(voc_folder(str(tmp_path), "train", "train", None, 0.2, 0, "pets"))
    twice, shared = caplog.messages
    assert twice.startswith("pets:train: 2 objects are there twice")
    assert shared.startswith("2 of the 2 images of pets:train are in pets:train too")


def test_only_crowds_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    crowds = instances({1: [(1, [1, 1, 9, 9], 81.0, 1)], 2: [(18, [1, 1, 9, 9], 81.0, 1)]})
    ordinary = instances({3: [(1, [1, 1, 9, 9], 81.0, 0)]})
    for name, content in (("train", crowds), ("val", ordinary)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    for number in (1, 2, 3):
        (tmp_path / f"{number:012d}.jpg").write_bytes(encoded_image(40, 50))
    say_oddities(coco_json(str(tmp_path / "train.json"), str(tmp_path), str(tmp_path / "val.json"), str(tmp_path)))
    assert caplog.messages == ["coco_json:train: all 2 objects are crowds, which are never trained on nor looked for."]


def test_the_same_folder_by_a_link_is_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train = _read(tmp_path / "one", {}).train
    (tmp_path / "link").symlink_to(tmp_path / "one")
    val = _read(tmp_path / "link", {}, VAL, TRAIN).val
    say_oddities(Splits(train, val))
    assert "2 of the 2 images" in caplog.text


def test_two_images_of_one_stem_are_said_and_filename_decides(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_voc(tmp_path, dict.fromkeys("abcd", BOTH), {"train": TRAIN, "val": VAL})
    for stem in "ab":
        (tmp_path / "JPEGImages" / f"{stem}.png").write_bytes(encoded_image(40, 50, ".png"))
    xml = tmp_path / "Annotations" / "b.xml"
    xml.write_text(xml.read_text().replace("b.jpg", "b.png"))
    splits = voc_folder(str(tmp_path), "train", "val", None, 0.2, 0)
    assert [item.id for item in splits.train.annotations] == ["a.jpg", "b.png"]
    assert len(caplog.messages) == 1
    assert "2 names have several images, such as a.jpg and a.png" in caplog.text


def test_a_configuration_s_data_set_is_looked_over_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_voc(tmp_path, {stem: [CAT, CAT] for stem in "abcd"}, {"train": TRAIN, "val": VAL})
    values: dict[str, Any] = {"path": str(tmp_path), "train": "train", "val": "val"}
    values |= {"class_names": None, "val_fraction": 0.2, "seed": 0}
    cfg = OmegaConf.create(
        {"task": {"name": "train"}, "dataset": {"_target_": "ssd.data.readers.voc_folder.voc_folder", **values}}
    )
    read_ahead([cfg])
    assert not caplog.messages
    build_splits(cfg)
    assert [message.partition(":")[2][:16] for message in caplog.messages] == ["train: 2 objects", "val: 2 objects a"]
