"""A server of files on this machine."""

import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest


class _Handler(SimpleHTTPRequestHandler):
    """Files of a folder; /slow never answers, /endless goes on for ever, /trickle a byte at a time."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.over.wait(20)  # type: ignore[attr-defined]
        elif self.path in ("/endless", "/trickle"):
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.end_headers()
            try:
                while not self.server.over.is_set():  # type: ignore[attr-defined]
                    self.wfile.write(b"x" * (100_000 if self.path == "/endless" else 1))
                    if self.path == "/trickle":
                        time.sleep(0.02)
            except OSError:
                pass
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    server.over = threading.Event()  # type: ignore[attr-defined]
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.over.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
