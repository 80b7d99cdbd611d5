"""What a folder is read into is kept for the next start, near-duplicates too, and not used once a file changed."""

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.label_files import DRAWN, image
from helpers.layouts import LAYOUTS
from ssd.data import kept, sources
from ssd.data.digest import annotation_digest
from ssd.data.folder import reader
from ssd.data.folder.reader import folder
from ssd.data.images import ImageFiles


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, and small sets are kept, too, although their files are of just now."""
    monkeypatch.setattr(kept, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(reader, "_LEAST_KEPT", 1)
    monkeypatch.setattr(sources.Stamp, "is_settled", lambda *_: True)
    return tmp_path / "cache"


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images near-duplicates were looked for among, each time."""
    counts: list[int] = []
    original = reader.Likeness

    def noted(places: list[str], read: Callable[[int], bytes]) -> object:
        counts.append(len(places))
        return original(places, read)

    monkeypatch.setattr(reader, "Likeness", noted)
    return counts


def test_a_second_start_reads_and_compares_nothing(
    tmp_path: Path, searched: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    LAYOUTS["voc annots"][0](tmp_path / "pets", DRAWN)
    image(tmp_path / "pets" / "images", DRAWN[0], "more.jpg")
    with caplog.at_level(logging.INFO, "ssd.data"):
        first = folder(str(tmp_path / "pets"), on_error="skip")
        said = list(caplog.messages)
        caplog.clear()
        second = folder(str(tmp_path / "pets"), on_error="skip")
    assert searched == [9]
    assert caplog.messages == said
    assert said[0] == "found: Pascal VOC XML, 9 images"
    assert second.problems == first.problems
    assert len(second.problems) == 1
    for one, other in ((first.train, second.train), (first.val, second.val)):
        assert annotation_digest(one) == annotation_digest(other)
        assert one.name == other.name
        assert isinstance(other.read, ImageFiles)
        assert [one.where(i) for i in range(len(one))] == [other.where(i) for i in range(len(other))]
        assert (one[0].image == other[0].image).all()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "annots" / "img 1.xml").write_text((root / "annots" / "img 1.xml").read_text() + " "),
        lambda root: image(root / "images", DRAWN[0], "more.jpg"),
        lambda root: (root / "images" / "img 1.jpg").unlink(),
    ],
    ids=["a label", "one image more", "one image less"],
)
def test_whatever_changed_is_read_again(tmp_path: Path, searched: list[int], change: Callable[[Path], object]) -> None:
    LAYOUTS["voc annots"][0](tmp_path / "pets", DRAWN)
    folder(str(tmp_path / "pets"))
    change(tmp_path / "pets")
    folder(str(tmp_path / "pets"))
    assert len(searched) == 2


def test_other_settings_are_other_splits(tmp_path: Path, searched: list[int]) -> None:
    LAYOUTS["voc annots"][0](tmp_path / "pets", DRAWN)
    small, large = (folder(str(tmp_path / "pets"), val_fraction=share) for share in (0.2, 0.5))
    assert (len(small.val), len(large.val)) == (2, 4)
    assert len(searched) == 2


_START = """
import sys
from pathlib import Path
from ssd.data import kept, sources
from ssd.data.digest import annotation_digest
from ssd.data.folder import reader

kept.cache_folder = lambda: Path(sys.argv[2])
reader._LEAST_KEPT = 1
sources.Stamp.is_settled = lambda *_: True
print("ready", flush=True)
sys.stdin.readline()
for _ in range(20):
    splits = reader.folder(sys.argv[1])
    print(len(splits.train), len(splits.val), annotation_digest(splits.train), flush=True)
    for entry in Path(sys.argv[2]).iterdir():
        entry.unlink(missing_ok=True)
"""


def test_two_processes_at_once(tmp_path: Path, cache: Path) -> None:
    """Each deletes what the other may be reading or writing, forty times: both read the same, and nothing stays."""
    LAYOUTS["voc annots"][0](tmp_path / "pets", DRAWN)
    command = [sys.executable, "-c", _START, str(tmp_path / "pets"), str(cache)]
    pipe = subprocess.PIPE
    both = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    assert [process.stdout.readline() for process in both if process.stdout is not None] == ["ready\n"] * 2
    said = [process.communicate("\n", timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    lines = {line for out, _ in said for line in out.splitlines()}
    assert len(lines) == 1
    assert lines.pop().startswith("7 2 ")
    assert list(cache.iterdir()) == []
