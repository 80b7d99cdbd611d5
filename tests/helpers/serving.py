"""A server of detections in a thread of this process, and pictures for it."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
import requests
import uvicorn
from numpy.typing import NDArray

from helpers.fake_network import FakeNetwork, drawn
from ssd.inference.detections import Detections
from ssd.prediction.detector import Detector
from ssd.serving.app import make_app
from ssd.serving.server import listen
from ssd.serving.settings import Settings, read_settings

A = drawn(48, 64, red=((8, 6, 24, 30),), blue=((32, 30, 60, 45),))
B = drawn(96, 64, red=((4, 10, 40, 50),))


def encoded(image: NDArray[np.uint8], suffix: str = ".png") -> bytes:
    """A file of an image (H, W, 3) in RGB."""
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class HeldNetwork(FakeNetwork):
    """One that waits until it is let go; `is_held` is set once it has something."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.is_held = threading.Event(), threading.Event()

    def __call__(self, images: NDArray[np.uint8], score_threshold: float) -> list[Detections]:
        self.is_held.set()
        assert self.go.wait(20)
        return super().__call__(images, score_threshold)


class Client:
    """Of a server at `address`; each call is a connection of its own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.port = int(address.rsplit(":", 1)[1])

    def get(self, path: str) -> requests.Response:
        return requests.get(self.address + path, timeout=20)

    def post(self, path: str, data: Any = None, **options: Any) -> requests.Response:
        return requests.post(self.address + path, data=data, timeout=20, **options)

    def answer(self, path: str, data: Any = None, **options: Any) -> dict[str, Any]:
        """The answer to what must succeed."""
        response = self.post(path, data, **options)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def metric(self, name: str, **labels: str) -> float:
        """A number of /metrics; 0 where it is not there yet."""
        from prometheus_client.parser import text_string_to_metric_families

        for family in text_string_to_metric_families(self.get("/metrics").text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return 0.0


def settings(**changed: Any) -> Settings:
    """The usual ones, but for what is changed."""
    return read_settings(asdict(Settings()) | changed)


@contextmanager
def serving(network: FakeNetwork | None = None, score_threshold: float = 0.5, **changed: Any) -> Iterator[Client]:
    """Serves what a fake network finds."""
    wanted = settings(**changed)
    detector = Detector(network or FakeNetwork(), score_threshold=score_threshold, batch_size=wanted.batch_size)
    config = uvicorn.Config(make_app(detector, wanted, score_threshold), log_config=None, ws="none")
    server = uvicorn.Server(config)
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        until(lambda: server.started)
        try:
            yield Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def until(is_so: Any, seconds: float = 10) -> None:
    """Waits for something."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)
