"""The cache of annotations: it never gives what is stale or damaged, says what reading said, and stops no start."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.fake_voc import encoded_image, item, write_voc
from ssd.data import kept, sources
from ssd.data.digest import annotation_digest
from ssd.data.problems import Problems
from ssd.data.readers import coco_json as coco_reader
from ssd.data.readers import voc_folder as voc_reader
from ssd.data.readers.coco_json import coco_json
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Splits
from ssd.errors import UserError

LONG_AGO = time.time_ns() - 10**12


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and small sets are kept, too, although their files are of just now."""
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(kept, "LEAST_IMAGES", 1)
    monkeypatch.setattr(sources.Stamp, "is_settled", lambda *_: True)
    return tmp_path / "cache"


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    objects = [item("cat", 2, 2, 20, 20), item("dog", -4, 3, 9, 9)]
    return write_voc(tmp_path / "voc", dict.fromkeys("abcd", objects), {"train": ["a", "b"], "val": ["c", "d"]})


def _read(root: Path) -> Splits:
    return voc_folder(str(root), "train", "val", None, 0.2, 0)


def _is_parsed(monkeypatch: pytest.MonkeyPatch, root: Path) -> bool:
    """Whether a start reads the XML files."""
    parsed: list[Path] = []
    original = voc_reader.parse_voc_xml

    def noted(path: Path, problems: Problems) -> object:
        parsed.append(path)
        return original(path, problems)

    with monkeypatch.context() as patched:
        patched.setattr(voc_reader, "parse_voc_xml", noted)
        _read(root)
    return bool(parsed)


def test_a_second_start_reads_nothing_and_is_the_same(
    voc: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = _read(voc)
    said = [(record.name, record.levelno, record.getMessage()) for record in caplog.records]
    assert len(said) == 2  # boxes over the border, of each split
    caplog.clear()
    monkeypatch.setattr(voc_reader, "parse_voc_xml", None)
    second = _read(voc)
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == said
    for one, other in ((first.train, second.train), (first.val, second.val)):
        assert (one.name, one.class_names, one.where(1)) == (other.name, other.class_names, other.where(1))
        assert annotation_digest(one) == annotation_digest(other)
        np.testing.assert_array_equal(one.annotations[1].areas, other.annotations[1].areas)
    assert second.val[0].image.shape == first.val[0].image.shape


def _touched(path: Path) -> None:
    os.utime(path, ns=(LONG_AGO, LONG_AGO))


def _same_size_and_time(path: Path) -> None:
    """As an edit that is copied with its old time, as `rsync -t` and `cp -p` do."""
    found = path.stat()
    path.write_bytes(path.read_bytes().replace(b"cat", b"cow"))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        lambda root: _touched(root / "Annotations" / "a.xml"),
        lambda root: _same_size_and_time(root / "Annotations" / "d.xml"),
        lambda root: (root / "Annotations" / "a.xml").write_text((root / "Annotations" / "b.xml").read_text() + "\n"),
        lambda root: (root / "JPEGImages" / "a.jpg").write_bytes(encoded_image(60, 90)),
        lambda root: (root / "JPEGImages" / "a.png").write_bytes(encoded_image(60, 90)),
        lambda root: (root / "ImageSets" / "Main" / "train.txt").write_text("a\n"),
        lambda root: (root / "ImageSets" / "Main" / "new.txt").write_text("a\n"),
        lambda root: (root / "Annotations" / "e.xml").write_text("<annotation/>"),
    ],
    ids=["time", "same size and time", "content", "image", "other image", "list", "new list", "new file"],
)
def test_any_change_of_the_files_is_read(
    voc: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    _read(voc)
    assert not _is_parsed(monkeypatch, voc)
    change(voc)
    assert _is_parsed(monkeypatch, voc)
    assert not _is_parsed(monkeypatch, voc)


def test_a_file_that_is_gone_is_missed_as_ever(voc: Path) -> None:
    _read(voc)
    (voc / "Annotations" / "a.xml").unlink()
    with pytest.raises(UserError, match=r"a\.xml does not exist"):
        _read(voc)


def test_other_settings_are_read_for_themselves(voc: Path) -> None:
    assert _read(voc).train.class_names == ("cat", "dog")
    assert voc_folder(str(voc), "train", "val", ["dog", "cat"], 0.2, 0).train.class_names == ("dog", "cat")
    assert voc_folder(str(voc), "val", "train", None, 0.2, 0).train.annotations[0].id == "c.jpg"
    assert _read(voc).train.annotations[0].id == "a.jpg"


def test_another_program_reads_for_itself(voc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _read(voc)
    monkeypatch.setattr(kept, "program", lambda: "another")
    assert _is_parsed(monkeypatch, voc)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:500] + bytes([content[500] ^ 1]) + content[501:],
        lambda content: b"\0" * len(content),
        lambda content: hashlib.sha256(b"x").digest() + b"x",
    ],
    ids=["empty", "cut", "one bit", "zeros", "no archive"],
)
def test_a_damaged_entry_is_read_anew(
    voc: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[bytes], bytes]
) -> None:
    _read(voc)
    (entry,) = cache.iterdir()
    entry.write_bytes(damage(entry.read_bytes()))
    assert _is_parsed(monkeypatch, voc)
    assert not _is_parsed(monkeypatch, voc)


@pytest.mark.parametrize(
    ("column", "value"),
    [("labels", 7), ("labels", -1), ("starts", 10**9), ("boxes", np.nan), ("boxes", 2), ("sizes", -1)],
)
def test_an_entry_that_points_outside_is_not_used(
    voc: Path, monkeypatch: pytest.MonkeyPatch, column: str, value: float
) -> None:
    original = kept._store

    def spoilt(entry: Path, about: object, parsed: kept.Parsed, heard: object) -> None:
        getattr(parsed.parts["train"], column)[1] = value
        original(entry, about, parsed, heard)  # type: ignore[arg-type]

    monkeypatch.setattr(kept, "_store", spoilt)
    _read(voc)
    monkeypatch.setattr(kept, "_store", original)
    assert _is_parsed(monkeypatch, voc)


@pytest.mark.parametrize("place", ["a file", "read-only"])
def test_where_nothing_can_be_kept_a_start_goes_on(
    voc: Path, cache: Path, place: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "a file":
        cache.write_text("in the way")
    else:
        monkeypatch.setattr(kept, "whole", lambda _: (_ for _ in ()).throw(OSError(30, "Read-only file system")))
    with caplog.at_level(logging.INFO):
        assert len(_read(voc).train) == 2
    assert sum("annotations not kept for the next start" in message for message in caplog.messages) == 1


def test_nothing_is_kept_of_files_that_change_now(voc: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(kept, "cache_folder", lambda: cache)
    monkeypatch.setattr(kept, "LEAST_IMAGES", 1)
    _read(voc)  # written within the last two seconds
    assert not cache.exists()
    original = voc_reader.parse_voc_xml

    def changing(path: Path, problems: Problems) -> object:
        path.with_name("z.xml").write_text("<annotation/>")
        return original(path, problems)

    monkeypatch.setattr(sources.Stamp, "is_settled", lambda *_: True)
    monkeypatch.setattr(voc_reader, "parse_voc_xml", changing)
    _read(voc)
    assert not cache.exists()


def test_a_link_to_nothing_or_to_a_folder_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "c.xml").write_text("x")
    before = sources.stamp_of([tmp_path / "a", tmp_path / "none"])
    assert before is not None
    (tmp_path / "a" / "b" / "d.xml").write_text("x")
    assert sources.stamp_of([tmp_path / "a", tmp_path / "none"]) != before
    (tmp_path / "a" / "link").symlink_to(tmp_path)
    assert sources.stamp_of([tmp_path / "a"]) is None
    (tmp_path / "a" / "link").unlink()
    (tmp_path / "a" / "link").symlink_to(tmp_path / "nowhere")
    assert sources.stamp_of([tmp_path / "a"]) is None


def test_small_sets_are_not_kept(voc: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LEAST_IMAGES", 5)
    _read(voc)
    assert not cache.exists()


def test_what_was_not_used_for_longest_makes_room(voc: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _read(voc)
    (first,) = cache.iterdir()
    monkeypatch.setattr(kept, "_MOST_BYTES", 2 * first.stat().st_size + 500)
    for age, name in ((3, "old"), (2, "older"), (1, ".x.part")):
        (cache / name).write_bytes(first.read_bytes())
        os.utime(cache / name, ns=(LONG_AGO - age, LONG_AGO - age))
    voc_folder(str(voc), "val", "train", None, 0.2, 0)
    assert len(left := list(cache.iterdir())) == 2
    assert first in left
    assert not any((cache / name).exists() for name in ("old", "older"))


def test_two_processes_may_write_at_once(voc: Path, cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from ssd.data import kept, sources\n"
        "kept.cache_folder = lambda: Path(sys.argv[2]); kept.LEAST_IMAGES = 1\n"
        "sources.Stamp.is_settled = lambda *_: True\n"
        "load, kept._load = kept._load, lambda *_: None\n"
        "from ssd.data.readers.voc_folder import voc_folder\n"
        "for _ in range(20): voc_folder(sys.argv[1], 'train', 'val', None, 0.2, 0)\n"
        "kept._load = load; kept.record = None\n"  # which a damaged entry would write to
        "kept.record = type('Record', (), {'info': print})\n"
        "voc_folder(sys.argv[1], 'train', 'val', None, 0.2, 0)\n"
    )
    command = [sys.executable, "-c", code, str(voc), str(cache)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        assert "annotations as they were read before" in process.communicate(timeout=60)[0].splitlines()[-1]
        assert process.returncode == 0
    assert len(list(cache.iterdir())) == 1


def test_of_a_coco_file_the_images_are_looked_for_at_every_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 50}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 10]}],
    }
    (tmp_path / "x.json").write_text(json.dumps(content))
    (tmp_path / "a.jpg").write_bytes(encoded_image(40, 50))
    arguments = [str(tmp_path / "x.json"), str(tmp_path)] * 2
    first = coco_json(*arguments)
    monkeypatch.setattr(coco_reader, "_load", None)
    assert annotation_digest(coco_json(*arguments).val) == annotation_digest(first.val)
    (tmp_path / "a.jpg").unlink()
    with pytest.raises(UserError, match=r"lists a\.jpg, not found"):
        coco_json(*arguments)
