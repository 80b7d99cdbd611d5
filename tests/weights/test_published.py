"""A published detector is downloaded once, by its name, and is the file that was published."""

import hashlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ssd.errors import UserError
from ssd.weights import published
from ssd.weights.published import Published, fetch
from ssd.weights.reader import split_spec

CONTENT = b"the weights of a detector" * 1000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server gives files of; the cache is elsewhere."""
    folder, cache = tmp_path / "server", tmp_path / "cache"
    folder.mkdir()
    (folder / "tiny.pth").write_bytes(CONTENT)
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=http.serve_forever, daemon=True).start()
    known = Published(f"http://127.0.0.1:{http.server_port}/tiny.pth", hashlib.sha256(CONTENT).hexdigest()[:8])
    monkeypatch.setattr(published, "PUBLISHED", {"torchvision": {"tiny": known}})
    monkeypatch.setattr("ssd.weights.reader.PUBLISHED", published.PUBLISHED)
    monkeypatch.setattr(published, "cache_folder", lambda: cache)
    yield folder
    http.shutdown()
    http.server_close()


def test_a_name_is_downloaded_once(server: Path) -> None:
    project, file = split_spec("torchvision:tiny")
    assert (project, file.read_bytes()) == ("torchvision", CONTENT)
    (server / "tiny.pth").unlink()
    assert split_spec("torchvision:tiny") == (project, file)


def test_another_file_than_the_published_one_is_not_kept(server: Path, tmp_path: Path) -> None:
    (server / "tiny.pth").write_bytes(CONTENT[:-1])
    with pytest.raises(UserError, match="another checksum"):
        fetch("torchvision", "tiny")
    assert not list((tmp_path / "cache").iterdir())


def test_a_failed_download_says_where_the_file_is(server: Path, tmp_path: Path) -> None:
    (server / "tiny.pth").unlink()
    with pytest.raises(UserError, match=r"cannot be downloaded \(404 .*; download http://.*/tiny\.pth where"):
        fetch("torchvision", "tiny")
    assert not [file for file in (tmp_path / "cache").glob("*") if file.stat().st_size]


def test_without_a_network_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nowhere = {"torchvision": {"tiny": Published("http://127.0.0.1:9/tiny.pth", "00")}}
    monkeypatch.setattr(published, "PUBLISHED", nowhere)
    monkeypatch.setattr(published, "cache_folder", lambda: tmp_path)
    with pytest.raises(UserError, match="torchvision:tiny: there is no connection; download http"):
        fetch("torchvision", "tiny")


def test_a_name_that_is_none_is_answered_with_those_there_are() -> None:
    with pytest.raises(UserError, match="the published detectors are ssd300_vgg16, ssdlite320"):
        split_spec("torchvision:ssd300")
