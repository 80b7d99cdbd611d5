"""An image is looked at again only when it has changed."""

import os
from pathlib import Path

import pytest

from helpers.fake_voc import encoded_image, item, write_voc
from ssd.data import look
from ssd.data.look import look_at_images
from ssd.data.readers.voc_folder import voc_folder
from ssd.data.sample import Splits

CAT = [item("cat", 2, 2, 20, 20)]


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the images that are decoded."""
    names: list[str] = []
    decode = look.thumbnail

    def counted(data: bytes, name: str, max_pixels: int) -> object:
        names.append(Path(name).name)
        return decode(data, name, max_pixels)

    monkeypatch.setattr(look, "thumbnail", counted)
    return names


def _splits(root: Path) -> Splits:
    if not root.exists():
        write_voc(root, dict.fromkeys("abcd", CAT), {"train": "abc", "val": "d"})
    return voc_folder(str(root), "train", "val", None, 0.2, 0)


def test_only_changed_images_are_looked_at_again(tmp_path: Path, looked_at: list[str]) -> None:
    splits, memory = _splits(tmp_path / "pets"), tmp_path / "outputs" / "images.sqlite"
    first = look_at_images([splits.train, splits.val], memory)
    assert sorted(looked_at) == ["a.jpg", "b.jpg", "c.jpg", "d.jpg"]
    looked_at.clear()
    assert look_at_images([splits.train, splits.val], memory) == first
    assert not looked_at
    file = tmp_path / "pets" / "JPEGImages" / "b.jpg"
    file.write_bytes(encoded_image(40, 50, seed=9))
    os.utime(file, ns=(1, 1))
    again = look_at_images([splits.train, splits.val], memory)
    assert looked_at == ["b.jpg"]
    assert [one == other for one, other in zip(again[0], first[0], strict=True)] == [True, False, True]


def test_what_cannot_be_used_is_looked_at_every_time(tmp_path: Path, looked_at: list[str]) -> None:
    splits, memory = _splits(tmp_path / "pets"), tmp_path / "images.sqlite"
    file = tmp_path / "pets" / "JPEGImages" / "c.jpg"
    file.write_bytes(file.read_bytes()[:-200])
    for _ in range(2):
        looked_at.clear()
        found = look_at_images([splits.train], memory)[0]
        assert [bool(look.error) for look in found] == [False, False, True]
    assert looked_at == ["c.jpg"]


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + bytes(200)])
def test_a_damaged_memory_costs_time_alone(tmp_path: Path, looked_at: list[str], content: bytes) -> None:
    splits, memory = _splits(tmp_path / "pets"), tmp_path / "images.sqlite"
    memory.write_bytes(content)
    assert not any(look.error for look in look_at_images([splits.train], memory)[0])
    assert len(looked_at) == 3
