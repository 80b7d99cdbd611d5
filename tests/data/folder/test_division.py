"""A validation part that is made: the same for the same images, fair to rare classes, like images on one side."""

import json
import logging
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.label_files import DRAWN, text
from helpers.layouts import LAYOUTS
from ssd.data.folder.division import divide
from ssd.data.folder.likeness import Likeness
from ssd.data.folder.reader import folder
from ssd.data.folder.recorded import content, read_recorded
from ssd.data.look import look_at_images
from ssd.errors import UserError
from ssd.inspection.duplicates import check_duplicates

ALONE = np.arange


def names(count: int) -> list[str]:
    return [f"{i:05d}.jpg" for i in range(count)]


def test_each_class_has_its_share() -> None:
    classes = [{"common"} | ({"rare"} if i % 10 == 0 else set()) if i % 4 else set() for i in range(1000)]
    val = divide(names(1000), classes, ALONE(1000), 0.2, 0)
    assert len(val) == pytest.approx(200, abs=2)
    assert sum("rare" in classes[i] for i in val) == 10
    assert sum(not classes[i] for i in val) == pytest.approx(50, abs=2)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_a_class_of_a_few_images_is_in_both_parts(count: int) -> None:
    classes = [{"a"}] * 100 + [{"a", "b"}] * count
    val = divide(names(100 + count), classes, ALONE(100 + count), 0.1, 3)
    assert 1 <= sum(i >= 100 for i in val) < count


def test_a_class_of_one_image_is_learned() -> None:
    assert all(49 not in divide(names(50), [{"a"}] * 49 + [{"b"}], ALONE(50), 0.2, seed) for seed in range(20))


def test_groups_stay_together_and_too_large_ones_are_cut_into_runs() -> None:
    groups = np.repeat(np.arange(100), 2)
    val = set(divide(names(200), [{"a"}] * 200, groups, 0.2, 0))
    assert len(val) == pytest.approx(40, abs=2)
    assert all((i in val) == (i + 1 in val) for i in range(0, 200, 2))
    film = divide(names(200), [{"a"}] * 200, np.zeros(200, np.int64), 0.2, 0)
    assert len(film) == pytest.approx(40, abs=5)
    assert sum(b - a > 1 for a, b in pairwise(film)) < 10  # runs of five


@given(
    st.lists(st.sets(st.sampled_from("abcd")), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
    st.randoms(),
)
def test_the_same_images_are_divided_alike_whatever_their_order(classes, fraction, seed, random) -> None:
    rows = list(range(len(classes)))
    groups = np.asarray([random.randrange(len(rows)) for _ in rows])
    listed = names(len(rows))
    val = {listed[i] for i in divide(listed, classes, groups, fraction, seed)}
    assert 0 < len(val) < len(rows)
    random.shuffle(rows)
    shuffled = [listed[i] for i in rows]
    again = divide(shuffled, [classes[i] for i in rows], groups[rows], fraction, seed)
    assert {shuffled[i] for i in again} == val


def test_what_cannot_be_divided() -> None:
    with pytest.raises(UserError, match="a split needs at least two"):
        divide(["a"], [set()], ALONE(1), 0.2, 0)
    with pytest.raises(UserError, match="must lie between 0 and 1"):
        divide(names(3), [set()] * 3, ALONE(3), 1.0, 0)


def _scene(seed: int) -> np.ndarray:
    """A smooth picture of its own."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    return cv2.resize(coarse, (320, 240), interpolation=cv2.INTER_CUBIC)


def _encoded(image: np.ndarray, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def test_images_that_are_alike() -> None:
    scene = _scene(0)
    images = {
        "a.jpg": _encoded(scene),
        "moved.jpg": _encoded(np.roll(scene, 4, axis=1)),
        "darker.png": _encoded((scene * 0.6).astype(np.uint8), ".png"),
        "small.jpg": _encoded(cv2.resize(scene, (160, 120))),
        "other.jpg": _encoded(_scene(1)),
        "turned.jpg": _encoded(scene[::-1]),
        "grey 1.png": _encoded(np.full((50, 50, 3), 90, np.uint8), ".png"),
        "grey 2.png": _encoded(np.full((50, 50, 3), 90, np.uint8), ".png"),
        "damaged.jpg": b"x",
        "empty.jpg": b"",
        "x_jpg.rf.0a1b.jpg": _encoded(_scene(2)),
        "x_jpg.rf.9f8e.jpg": _encoded(_scene(3)),  # augmented beyond likeness
    }
    groups = Likeness(list(images), list(images.values()).__getitem__).groups().tolist()
    assert groups == [0, 0, 0, 0, 4, 5, 6, 7, 8, 9, 10, 10]


def test_like_images_are_on_one_side_and_it_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(40):
        scene = np.clip(_scene(i // 2).astype(int) + i % 2 * 5, 0, 255).astype(np.uint8)
        (tmp_path / f"{i:02d}.jpg").write_bytes(_encoded(scene))
        text(tmp_path / f"{i:02d}.txt", "0 0.5 0.5 0.2 0.2\n")
    text(tmp_path / "classes.txt", "cat\n")
    with caplog.at_level(logging.INFO, "ssd.data"):
        splits = folder(str(tmp_path), val_fraction=0.5)
    val = {int(Path(item.id).stem) for item in splits.val.annotations}
    assert len(val) == 20
    assert all((i in val) == (i + 1 in val) for i in range(0, 40, 2))
    assert "(made: 50%, seed 0, by class, 20 near-duplicates together)" in caplog.messages[1]


SETTINGS = {"format": "auto", "train": None, "val": None, "val_fraction": 0.2, "seed": 0}


def test_a_recorded_split_is_taken_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    LAYOUTS["voc annots"][0](tmp_path / "pets", DRAWN)
    places = [f"images/{d.file}" for d in DRAWN]
    recorded = tmp_path / "split.json"
    recorded.write_text(json.dumps(content(SETTINGS, places[3:], places[:3])))
    (tmp_path / "pets" / places[0]).unlink()
    with caplog.at_level(logging.INFO, "ssd.data"):
        splits = folder(str(tmp_path / "pets"), recorded=str(recorded))
    assert [item.id for item in splits.val.annotations] == places[1:3]
    assert [item.id for item in splits.train.annotations] == places[3:]
    assert any("split.json are not there any more: images/img 0.jpg" in message for message in caplog.messages)
    # asked for another split, or of other data
    assert len(folder(str(tmp_path / "pets"), val_fraction=0.5, recorded=str(recorded)).val) == 4
    recorded.write_text(json.dumps(content(SETTINGS, ["x.jpg"], ["y.jpg"])))
    assert len(folder(str(tmp_path / "pets"), recorded=str(recorded)).val) == 2


@pytest.mark.parametrize("damaged", ["[]", '{"train": 1, "val": []}', "{"])
def test_a_damaged_record(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "split.json").write_text(damaged)
    with pytest.raises(UserError, match=r"split\.json"):
        read_recorded(tmp_path / "split.json", SETTINGS)


def test_mirrored_and_cut_copies_are_on_one_side(tmp_path: Path) -> None:
    """Which thumbnails alone do not tell."""
    for i in range(20):
        scene = _scene(i)
        cv2.rectangle(scene, (60 + 5 * i, 60), (120 + 5 * i, 150), (255, 255, 255), -1)
        copy = scene[9:-3, 4:-12] if i % 2 else scene[4:-6, 5:-5][:, ::-1]
        (tmp_path / f"{i:02d}.jpg").write_bytes(_encoded(scene))
        (tmp_path / f"{i:02d} copy.jpg").write_bytes(_encoded(np.ascontiguousarray(copy)))
        for name in (f"{i:02d}", f"{i:02d} copy"):
            text(tmp_path / f"{name}.txt", "0 0.5 0.5 0.2 0.2\n")
    text(tmp_path / "classes.txt", "cat\n")
    splits = folder(str(tmp_path), val_fraction=0.3)
    datasets = [splits.train, splits.val]
    found = check_duplicates(datasets, look_at_images(datasets))
    assert {finding.kind for finding in found} == {"near-duplicate"}  # and none across the splits
    assert len(found) == 20
    assert len(splits.val) == 12
