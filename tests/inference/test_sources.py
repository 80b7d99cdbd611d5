"""`source=` is a path, or several; what is in a folder is found at any depth."""

import os
from pathlib import Path

import pytest

from ssd.errors import UserError
from ssd.inference.sources import image_files, split_source, unread_files


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def test_several_are_separated_by_commas_unless_it_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(Path("a,b.jpg"), Path("c.jpg"))
    assert split_source("a,b.jpg") == ["a,b.jpg"]
    assert split_source("c.jpg,x+y") == ["c.jpg", "x+y"]
    assert split_source("x+y,z", "+,") == ["x", "y", "z"]


def test_pictures_of_the_same_name_get_places_of_their_own(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two (2)"
    touch(one / "deep" / "b.PNG", one / "a.jpg", two / "a.jpg", two / "notes.txt", tmp_path / "a.jpg")
    found = image_files(f"{one},{two},{tmp_path / 'a.jpg'},{one}")
    assert [(file.path, str(file.place)) for file in found] == [
        (one / "a.jpg", "a.jpg"),
        (one / "deep" / "b.PNG", "deep/b.PNG"),
        (two / "a.jpg", "a_2.jpg"),
        (tmp_path / "a.jpg", "a_3.jpg"),
    ]


def test_pictures_of_a_kind_that_is_not_read_are_named(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b" / "c.PSD", tmp_path / "d.jxl", tmp_path / "notes.txt", tmp_path / "e.HEIC")
    assert [file.path.name for file in image_files(str(tmp_path))] == ["a.jpg", "e.HEIC"]
    assert unread_files(f"{tmp_path},{tmp_path / 'b'}") == [tmp_path / "b" / "c.PSD", tmp_path / "d.jxl"]
    assert unread_files(str(tmp_path / "d.jxl")) == []


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"source=.*/empty holds no image \(\.jpg"):
        image_files(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="source=nowhere: there is no such image or folder"):
        image_files("nowhere")


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"two\nlines.jpg"])
def test_a_name_that_cannot_be_written_down_is_refused(tmp_path: Path, name: bytes) -> None:
    touch(Path(os.fsdecode(bytes(tmp_path) + b"/" + name)), tmp_path / "a.jpg")
    with pytest.raises(
        UserError, match=r"source=.* holds '.*(caf\\udce9|two\\nlines)\.jpg', whose name is not in UTF-8"
    ) as error:
        image_files(str(tmp_path))
    str(error.value).encode()
