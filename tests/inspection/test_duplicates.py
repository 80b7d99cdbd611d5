"""Copies of a picture that were cut, mirrored or saved again are found, and pictures of other things are not."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ssd.data.folder.reader import folder
from ssd.data.look import look_at_images
from ssd.data.sample import Annotation, Dataset
from ssd.environment import ROOT
from ssd.inspection.duplicates import check_duplicates

SHARED = ROOT.parent / "shared" / "data"
Change = Callable[[np.ndarray], np.ndarray]


def _scene(seed: int) -> np.ndarray:
    """A smooth picture of its own with edges in it."""
    rng = np.random.default_rng(seed)
    picture = cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 240), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        corner = rng.integers(0, (300, 220)).tolist()
        far = (np.array(corner) + rng.integers(10, 60, 2)).tolist()
        cv2.rectangle(picture, corner, far, rng.integers(0, 256, 3).tolist(), -1)
    return picture


def _dataset(*pictures: np.ndarray) -> Dataset:
    content = [cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes() for picture in pictures]
    none = np.zeros(0, np.bool_)
    annotations = [
        Annotation(
            f"{i}.jpg",
            picture.shape[0],
            picture.shape[1],
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.int32),
            none,
            none,
            np.zeros(0, np.float32),
        )
        for i, picture in enumerate(pictures)
    ]
    return Dataset("toy:train", ("cat",), annotations, content.__getitem__)


@pytest.mark.parametrize(
    ("change", "is_mirrored"),
    [
        (lambda picture: cv2.GaussianBlur(picture, (3, 3), 0), False),
        (lambda picture: cv2.resize(picture, (160, 120), interpolation=cv2.INTER_AREA), False),
        (lambda picture: np.clip(picture * 0.7 + 40, 0, 255).astype(np.uint8), False),
        (lambda picture: picture[:, ::-1], True),
        (lambda picture: picture[7:-3, 4:-9], False),
        (lambda picture: picture[10:, 12:], False),
        (lambda picture: picture[4:-6, 5:-5][:, ::-1], True),
    ],
    ids=["saved again", "smaller", "brighter", "mirrored", "cut", "cut at two sides", "mirrored and cut"],
)
@pytest.mark.parametrize("seed", range(2))
def test_a_copy_is_found(change: Change, is_mirrored: bool, seed: int) -> None:
    scenes = [_scene(10 * seed + i) for i in range(8)]
    dataset = _dataset(*scenes, np.ascontiguousarray(change(scenes[2])))
    (found,) = check_duplicates([dataset], look_at_images([dataset]))
    assert found.kind == "near-duplicate"
    assert found.text.startswith("8.jpg of toy:train looks like 2.jpg of toy:train")
    assert ("mirrored" in found.text) == is_mirrored


@pytest.mark.parametrize(("name", "kind", "most"), [("bccd", "voc", 0), ("tiny_coco", "coco", 0), ("cards", "voc", 4)])
def test_no_false_alarm_in_photographs(tmp_path: Path, name: str, kind: str, most: int) -> None:
    """Of those that only an alignment tells; the cards have bursts, in which two are one picture moved."""
    if not (SHARED / name).is_dir():
        pytest.skip("needs the shared data")
    splits = folder(str(SHARED / name), format=kind)
    datasets = [splits.train, splits.val]
    found = check_duplicates(datasets, look_at_images(datasets))
    assert len([item for item in found if "mirrored" in item.text or " and cut" in item.text]) <= most
