"""A server on this machine in the place of the host of published detectors."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ssd.weights import published
from ssd.weights.published import Published

Answer = Callable[[BaseHTTPRequestHandler], None]


class WeightsServer:
    """It gives `content` for every address, or does what `answer` says; `asked` are the paths it was asked for."""

    def __init__(self, content: bytes, address: str) -> None:
        self.content, self.address, self.asked = content, address, list[str]()
        self.answer: Answer = self.whole

    def whole(self, request: BaseHTTPRequestHandler) -> None:
        """The file, as it is."""
        self.send(request, self.content, len(self.content))

    def send(self, request: BaseHTTPRequestHandler, content: bytes, length: int) -> None:
        """Some content, with a length that need not be its own."""
        request.send_response(200)
        request.send_header("Content-Length", str(length))
        request.end_headers()
        request.wfile.write(content)

    def half(self, request: BaseHTTPRequestHandler) -> None:
        """The connection breaks off in the middle."""
        self.send(request, self.content[: len(self.content) // 2], len(self.content))

    def page(self, request: BaseHTTPRequestHandler) -> None:
        """What a hotel's network answers everything with."""
        self.send(request, b"<html>Log in</html>", len("<html>Log in</html>"))

    def moved(self, request: BaseHTTPRequestHandler) -> None:
        """It is at another address now."""
        if request.path.startswith("/new"):
            self.whole(request)
            return
        request.send_response(302)
        request.send_header("Location", "/new/tiny.pth")
        request.end_headers()

    def silent(self, request: BaseHTTPRequestHandler) -> None:
        """It says how much will come, and no more."""
        self.send(request, b"", len(self.content))
        time.sleep(1)

    def slow(self, request: BaseHTTPRequestHandler) -> None:
        """A kilobyte now and then."""
        self.send(request, b"", len(self.content))
        for start in range(0, len(self.content), 1024):
            request.wfile.write(self.content[start : start + 1024])
            time.sleep(0.05)

    def status(self, number: int) -> Answer:
        """An answer that refuses."""
        return lambda request: request.send_error(number)


@contextmanager
def weights_server(content: bytes, name: str, cache: Path, file: str = "tiny.pth") -> Iterator[WeightsServer]:
    """A server that has the detector `name` of torchvision in a `file`, and a cache folder of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(self.path)
            with suppress(BrokenPipeError, ConnectionResetError):  # the other side has given up
                server.answer(self)

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = WeightsServer(content, f"http://127.0.0.1:{http.server_port}/{file}")
    threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
    there = {"torchvision": {name: Published(server.address, hashlib.sha256(content).hexdigest()[:8])}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "PUBLISHED", there)
        patch.setattr("ssd.weights.reader.PUBLISHED", there)
        patch.setattr(published, "cache_folder", lambda: cache)
        yield server
    http.shutdown()
    http.server_close()
