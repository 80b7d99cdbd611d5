"""`source=` names images, videos, cameras and addresses; what is in a folder is found at any depth."""

import os
from pathlib import Path

import pytest

from ssd.config.listed import split_source
from ssd.errors import UserError
from ssd.prediction.sources import Kind, check_not_source, listed_sources, read_sources, unread_files
from ssd.runs.folder import OVERRIDES


def touch(*files: Path) -> None:
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def places(source: str) -> list[tuple[str, str]]:
    return [(found.name, str(found.place)) for found in read_sources(source)]


def test_several_are_separated_by_commas_unless_it_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(Path("a,b.jpg"), Path("c.jpg"))
    assert split_source("a,b.jpg") == ["a,b.jpg"]
    assert split_source("c.jpg,x+y") == ["c.jpg", "x+y"]
    assert split_source("x+y,z", "+,") == ["x", "y", "z"]
    assert split_source("z+a,b.jpg,y", "+,") == ["z", "a,b.jpg", "y"]


def test_sources_of_the_same_stem_get_places_of_their_own(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two (2)"
    touch(one / "deep" / "b.PNG", one / "a.jpg", one / "A.png", two / "a.jpg", two / "notes.txt", tmp_path / "a.jpg")
    assert places(f"{one},{two},{tmp_path / 'a.jpg'},{one}") == [
        (str(one / "A.png"), "A.png"),
        (str(one / "a.jpg"), "a_2.jpg"),
        (str(one / "deep" / "b.PNG"), "deep/b.PNG"),
        (str(two / "a.jpg"), "a_3.jpg"),
        (str(tmp_path / "a.jpg"), "a_4.jpg"),
    ]


def test_a_glob_finds_images_and_videos_and_keeps_their_folders(tmp_path: Path) -> None:
    touch(tmp_path / "x" / "a.jpg", tmp_path / "y" / "a.jpg", tmp_path / "y" / "b.txt", tmp_path / "y" / "c.MP4")
    touch(tmp_path / "odd[1].jpg")
    assert places(f"{tmp_path}/**/*") == [
        (str(tmp_path / "odd[1].jpg"), "odd[1].jpg"),
        (str(tmp_path / "x" / "a.jpg"), "x/a.jpg"),
        (str(tmp_path / "y" / "a.jpg"), "y/a.jpg"),
        (str(tmp_path / "y" / "c.MP4"), "y/c.MP4"),
    ]
    assert places(str(tmp_path / "odd[1].jpg")) == [(str(tmp_path / "odd[1].jpg"), "odd[1].jpg")]
    with pytest.raises(UserError, match=r"source=.*\*\.bmp matches no image"):
        read_sources(f"{tmp_path}/*.bmp")


@pytest.mark.parametrize(
    ("source", "kind", "place"),
    [
        ("0", Kind.stream, "camera_0"),
        ("rtsp://user:secret@10.0.0.1:554/live", Kind.stream, "live"),
        ("rtsp://10.0.0.1", Kind.stream, "10.0.0.1"),
        ("https://example.org/cat%20one.JPG?size=2", Kind.image, "cat one.JPG"),
        ("http://example.org/%2e%2e%2fpasswd", Kind.address, "passwd"),
        ("http://example.org/live.m3u8", Kind.stream, "live.m3u8"),
        ("http://example.org/film.mp4", Kind.stream, "film.mp4"),
        ("http://example.org/", Kind.address, "example.org"),
    ],
)
def test_cameras_streams_and_addresses(source: str, kind: Kind, place: str) -> None:
    (found,) = read_sources(source)
    assert (found.kind, str(found.place)) == (kind, place)


def test_a_list_is_read_line_by_line() -> None:
    lines = iter([b"a.jpg\n", b"\n", b"x/a.png\r\n", b"http://example.org/film.mp4\n"])
    found = listed_sources(lines)
    assert next(found).name == "a.jpg"
    assert next(lines) == b"\n"
    assert [(one.name, str(one.place), one.kind) for one in found] == [
        ("x/a.png", "a_2.png", Kind.image),
        ("http://example.org/film.mp4", "film.mp4", Kind.stream),
    ]


@pytest.mark.parametrize("source", ["photos", "photos/deep", "photos/deep/a.jpg", "photos/*/*.jpg"])
def test_results_do_not_go_into_the_source(tmp_path: Path, source: str) -> None:
    touch(tmp_path / "photos" / "deep" / "a.jpg")
    sources = read_sources(str(tmp_path / source))
    for folder in (tmp_path / "photos", tmp_path / "photos" / "deep"):
        with pytest.raises(UserError, match=r"hydra.run.dir=.*photos.* holds .*a\.jpg: results go into another folder"):
            check_not_source(folder, sources)
    check_not_source(tmp_path / "photos" / "results", sources)


def test_pictures_of_a_kind_that_is_not_read_are_named(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg", tmp_path / "b" / "c.EXR", tmp_path / "d.jxl", tmp_path / "notes.txt", tmp_path / "e.HEIC")
    touch(tmp_path / "f.mp4")
    assert [found.place.name for found in read_sources(str(tmp_path))] == ["a.jpg", "e.HEIC", "f.mp4"]
    assert unread_files(f"{tmp_path},{tmp_path / 'b'}") == [tmp_path / "b" / "c.EXR", tmp_path / "d.jxl"]
    assert unread_files(str(tmp_path / "d.jxl")) == []


def test_pictures_that_earlier_runs_have_drawn_are_no_images_of_the_user(tmp_path: Path) -> None:
    run = tmp_path / "outputs" / "predict" / "one"
    touch(tmp_path / "a.jpg", run / OVERRIDES, run / "pictures" / "a.jpg")
    assert places(str(tmp_path)) == [(str(tmp_path / "a.jpg"), "a.jpg")]
    assert places(str(run)) == [(str(run / "pictures" / "a.jpg"), "pictures/a.jpg")]


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"source=.*/empty holds no image \(\.jpg"):
        read_sources(str(tmp_path / "empty"))
    with pytest.raises(UserError, match="source=nowhere: there is no such image or folder"):
        read_sources("nowhere")


@pytest.mark.parametrize("name", [b"caf\xe9.jpg", b"two\nlines.jpg"])
def test_a_name_that_cannot_be_written_down_is_refused(tmp_path: Path, name: bytes) -> None:
    touch(Path(os.fsdecode(bytes(tmp_path) + b"/" + name)), tmp_path / "a.jpg")
    with pytest.raises(
        UserError, match=r"source=.* holds '.*(caf\\udce9|two\\nlines)\.jpg', whose name is not in UTF-8"
    ) as error:
        read_sources(str(tmp_path))
    str(error.value).encode()
