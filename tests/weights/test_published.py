"""A published detector is downloaded once, by its name, and is the file that was published; or it is said why not."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.weights_server import WeightsServer, weights_server
from ssd.errors import UserError
from ssd.weights import published
from ssd.weights.published import DownloadError, Published, fetch
from ssd.weights.reader import split_spec

CONTENT = b"the weights of a detector" * 1000


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(cache: Path) -> Iterator[WeightsServer]:
    with weights_server(CONTENT, "tiny", cache) as server:
        yield server


def left_in(cache: Path) -> list[str]:
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*"))


def test_a_name_is_downloaded_once(server: WeightsServer, cache: Path) -> None:
    project, file = split_spec("torchvision:tiny")
    assert (project, file.read_bytes()) == ("torchvision", CONTENT)
    assert split_spec("torchvision:tiny") == (project, file)
    assert len(server.asked) == 1
    assert left_in(cache) == ["tiny.pth"]


def test_a_redirection_is_followed(server: WeightsServer) -> None:
    server.answer = server.moved
    assert fetch("torchvision", "tiny").read_bytes() == CONTENT
    assert server.asked == ["/tiny.pth", "/new/tiny.pth"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (403, "the server answers 403 Client Error: Forbidden"),
        (404, "the server answers 404 Client Error: Not Found"),
        (500, "the server answers 500 Server Error: Internal Server Error"),
        ("page", r"what came has another checksum \(SHA-256 \w{8}…, not \w{8}…\)"),
        ("half", "the connection broke off"),
    ],
)
def test_what_is_not_the_file_is_not_kept(answer: int | str, reason: str, server: WeightsServer, cache: Path) -> None:
    server.answer = server.status(answer) if isinstance(answer, int) else getattr(server, answer)
    sentence = rf"^weights=torchvision:tiny cannot be downloaded: {reason}; download http://.*/tiny\.pth where there is"
    with pytest.raises(DownloadError, match=sentence):
        fetch("torchvision", "tiny")
    assert left_in(cache) == []
    assert len(server.asked) == 1  # not again and again


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("silent", r"the server was silent for 0\.3 seconds"), ("slow", r"the server sends [\d.]+ kB a second")],
)
def test_a_server_that_takes_its_time_is_given_up(
    answer: str, reason: str, server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published, "_SECONDS", 0.3)
    monkeypatch.setattr(published, "_SLOWEST", 10**6)
    server.answer = getattr(server, answer)
    with pytest.raises(DownloadError, match=reason):
        fetch("torchvision", "tiny")
    assert left_in(cache) == []


def test_without_a_network_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = {"torchvision": {"tiny": Published("http://127.0.0.1:9/tiny.pth", "00")}}
    monkeypatch.setattr(published, "PUBLISHED", nowhere)
    monkeypatch.setattr(published, "cache_folder", lambda: tmp_path)
    with pytest.raises(DownloadError, match="torchvision:tiny cannot be downloaded: there is no connection; download"):
        fetch("torchvision", "tiny")


def test_a_proxy_that_refuses_is_one_sentence(server: WeightsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.address.removesuffix("/tiny.pth"))
    monkeypatch.setenv("no_proxy", "")
    server.answer = server.status(407)
    with pytest.raises(DownloadError, match="the server answers 407 Client Error: Proxy Authentication Required"):
        fetch("torchvision", "tiny")


def test_an_interrupt_leaves_nothing(server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(published._Meter, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch("torchvision", "tiny")
    assert left_in(cache) == []


def test_a_damaged_file_in_the_cache_is_replaced(server: WeightsServer, cache: Path) -> None:
    cache.mkdir()
    (cache / "tiny.pth").write_bytes(CONTENT[:-1])
    assert fetch("torchvision", "tiny").read_bytes() == CONTENT
    server.answer = server.status(404)
    (cache / "tiny.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match="404"):
        fetch("torchvision", "tiny")


def test_several_at_a_time_get_the_same_whole_file(server: WeightsServer, cache: Path) -> None:
    found: list[bytes] = []
    threads = [threading.Thread(target=lambda: found.append(fetch("torchvision", "tiny").read_bytes())) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [CONTENT] * 3
    assert left_in(cache) == ["tiny.pth"]


def test_a_cache_that_cannot_be_written_is_one_sentence(server: WeightsServer, cache: Path) -> None:
    cache.write_text("a file in its place")
    with pytest.raises(DownloadError, match=rf"{cache} cannot be used \({os.strerror(errno.EEXIST)}\)"):
        fetch("torchvision", "tiny")


def test_a_full_disk_is_one_sentence(server: WeightsServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(published._Meter, "update", full)
    with pytest.raises(DownloadError, match=r"cannot be used \(No space left on device\)"):
        fetch("torchvision", "tiny")
    assert left_in(cache) == []


def test_a_name_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(UserError, match="the published detectors are ssd300_vgg16, ssdlite320"):
        split_spec("torchvision:ssd300")
