"""Every layout that is understood: the same boxes out of each, in the splits that its folders or files say."""

import logging
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from helpers.label_files import DRAWN, NAMES, Box, Drawn, truth
from helpers.layouts import LAYOUTS, WITH_SPLITS
from ssd.data.folder.formats import NOT_READ
from ssd.data.folder.reader import folder
from ssd.data.readers.voc_xml import parse_voc_xml
from ssd.data.sample import Dataset, Splits
from ssd.environment import ROOT

SHARED = ROOT.parent / "shared" / "data"


def boxes(dataset: Dataset) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    """Stem → classes and boxes in pixels."""
    found = {}
    for item in dataset.annotations:
        pixels = item.boxes * np.tile([item.height, item.width], 2)
        stem = unicodedata.normalize("NFC", Path(item.id.replace("\\", "/")).stem).removeprefix("Größe é ")
        names = [dataset.class_names[label] for label in item.labels]
        found[stem] = list(zip(names, map(tuple, pixels.tolist()), strict=True))
    return found


def check(splits: Splits, drawn: list[Drawn], with_splits: bool) -> None:
    assert splits.train.class_names == tuple(NAMES)
    train, val = boxes(splits.train), boxes(splits.val)
    assert not set(train) & set(val)
    if with_splits:
        assert set(val) == {d.stem for d in drawn if d.split == "val"}
    found = train | val
    expected = truth(drawn)
    assert set(found) == set(expected)
    for stem, objects in expected.items():
        assert [name for name, _ in found[stem]] == [name for name, _ in objects], stem
        for (_, box), (_, right) in zip(found[stem], objects, strict=True):
            assert box == pytest.approx(right, abs=2e-3), stem
    if drawn[0].photo is None:
        assert len({splits.train[0].image.shape, splits.val[0].image.shape}) == 2  # every drawn one has its own


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout(tmp_path: Path, layout: str, caplog: pytest.LogCaptureFixture) -> None:
    write, kind = LAYOUTS[layout]
    write(tmp_path / "my pets", DRAWN)
    with caplog.at_level(logging.INFO, "ssd.data"):
        splits = folder(str(tmp_path), data_dir=str(tmp_path / "data"))
    check(splits, DRAWN, layout in WITH_SPLITS)
    said = [message for message in caplog.messages if not message.startswith(("the only data in", "unpacking"))]
    found, parts, classes = said[:3]
    assert found.startswith("found: ")
    assert found.endswith(", 9 images")
    made = "" if layout in WITH_SPLITS else " (made: 20%, seed 0, by class)"
    words = rf"splits: train(val)? {len(splits.train)} to train on, (val|test) {len(splits.val)} to validate on"
    assert re.match(words + re.escape(made), parts)
    assert classes == "classes: cat 9, dog 4"
    assert not [record for record in caplog.records if record.levelno > logging.INFO], caplog.messages
    again = folder(str(tmp_path), format=kind, data_dir=str(tmp_path / "data"))
    assert [item.id for item in again.val.annotations] == [item.id for item in splits.val.annotations]


def photographs() -> list[Drawn]:
    """Six photographs to train on and three to validate on; aces are called cats, other cards dogs."""
    found = []
    for split, place, count in (("train", "train", 6), ("val", "test", 3)):
        photos = sorted((SHARED / "cards" / "images" / place).glob("*.jpg"))[:count]
        for file in photos:
            parsed = parse_voc_xml(file.with_suffix(".xml"))
            objects: list[tuple[str, Box]] = []
            for item in parsed.objects:
                ymin, xmin, ymax, xmax = map(int, item.box)
                objects.append(("cat" if item.name == "ace" else "dog", (xmin, ymin, xmax, ymax)))
            found.append(Drawn(f"{place[0]} {file.stem}", parsed.size, tuple(objects), split, file))
    return found


@pytest.mark.skipif(not (SHARED / "cards").is_dir(), reason="needs the shared data")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_of_photographs(tmp_path: Path, layout: str) -> None:
    photos = photographs()
    assert {name for photo in photos for name, _ in photo.objects} == set(NAMES)
    LAYOUTS[layout][0](tmp_path / "photographs", photos)
    check(folder(str(tmp_path), data_dir=str(tmp_path / "data")), photos, layout in WITH_SPLITS)


def test_the_page_of_layouts_has_all_of_them_and_what_is_only_named() -> None:
    page = (ROOT / "docs" / "layouts.md").read_text().splitlines()
    read = [
        f"| {layout} | `{kind}` | {'as they are' if layout in WITH_SPLITS else 'made'} |"
        for layout, (_, kind) in LAYOUTS.items()
    ]
    named = [f"| {name} | {advice} |" for _, _, name, advice in NOT_READ]
    assert [line for line in page if line in read] == read
    assert [line for line in page if line in named] == named


@pytest.mark.parametrize("suffix", ["zip", "tar", "gztar"])
def test_an_archive_is_unpacked_once(tmp_path: Path, suffix: str) -> None:
    LAYOUTS["yolo of Roboflow"][0](tmp_path / "pets", DRAWN)
    archive = shutil.make_archive(str(tmp_path / "red pets"), suffix, tmp_path / "pets")
    shutil.rmtree(tmp_path / "pets")
    check(folder(archive, data_dir=str(tmp_path / "data")), DRAWN, with_splits=True)
    unpacked = [path for path in (tmp_path / "data" / "unpacked").iterdir() if path.is_dir()]
    assert [path.name.partition("-")[0] for path in unpacked] == ["red pets"]
    before = unpacked[0].stat().st_mtime_ns
    check(folder(archive, data_dir=str(tmp_path / "data")), DRAWN, with_splits=True)
    assert unpacked[0].stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("yolo", "data.yaml"),
        ("coco in one file", "annotations.json"),
        ("coco of CVAT", "annotations/instances_default.json"),
        ("via 1", "via.json"),
    ],
)
def test_one_file_of_annotations_may_be_named(tmp_path: Path, layout: str, file: str) -> None:
    LAYOUTS[layout][0](tmp_path, DRAWN)
    LAYOUTS["tfod csv"][0](tmp_path, [])  # another format, which is not meant
    check(folder(str(tmp_path / file)), DRAWN, layout in WITH_SPLITS)


def test_links_that_lead_in_circles(tmp_path: Path) -> None:
    LAYOUTS["voc annotations, images"][0](tmp_path / "pets", DRAWN)
    (tmp_path / "pets" / "images" / "again").symlink_to(tmp_path / "pets")
    check(folder(str(tmp_path / "pets")), DRAWN, with_splits=False)


@pytest.mark.parametrize(("kind", "words"), [("voc", "Pascal VOC XML"), ("tfod_csv", "CSV of boxes")])
def test_the_photographs_of_cards(kind: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    if not (SHARED / "cards").is_dir():
        pytest.skip("needs the shared data")
    with caplog.at_level(logging.INFO, "ssd.data"):
        splits = folder(str(SHARED / "cards"), format=kind)
    assert (len(splits.train), len(splits.val)) == (296, 67)
    assert caplog.messages[0].startswith(f"found: {words}")
    assert caplog.messages[1] == "splits: train 296 to train on, test 67 to validate on"
    assert caplog.messages[2] == "classes: ace 118, jack 113, king 118, nine 115, queen 106, ten 100"
