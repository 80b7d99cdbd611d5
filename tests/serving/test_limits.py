"""What is too large, too slow or too much is refused, and others go on."""

import io
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, fields

import cv2
import numpy as np
import pytest
from PIL import Image

from helpers.fake_network import FakeNetwork
from helpers.serving import A, B, Client, HeldNetwork, encoded, in_base64, serving, until
from ssd.config.groups import ServeConfig
from ssd.errors import UserError
from ssd.prediction.detector import Detector
from ssd.serving.settings import Settings, read_settings

FILE = encoded(A)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving(max_megabytes=1.0, max_pixels=100_000, max_images=3) as client:
        yield client


def bomb(side: int) -> bytes:
    """A PNG of some kilobytes that says it is of that many pixels, black."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(100 * side), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


HOSTILE = {
    "bomb": (bomb(12_000), 413, "has 12000 x 12000 pixels; at most 100000 are taken"),
    "larger bomb": (bomb(60_000), 400, "has more than 178956970 pixels, which are not decoded"),
    "text": (b"I am a picture, honestly. " * 99, 400, "cannot be read"),
    "script": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/hostname'/></svg>", 400, "not an"),
    "truncated": (encoded(np.tile(A, (4, 4, 1)), ".jpg")[:900], 400, "cut short"),
    "headless": (encoded(A, ".jpg")[200:], 400, "cannot be read"),
    "large": (bytes(1_000_001), 413, "the request has more than 1000000 bytes"),
}


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_a_hostile_upload_is_refused_in_a_sentence(client: Client, kind: str) -> None:
    data, status, sentence = HOSTILE[kind]
    for response in (client.post("/predict", data), client.post("/predict", files=[("file", ("evil.jpg", data))])):
        assert response.status_code == status
        assert sentence in response.json()["error"]
        assert len(response.json()["error"]) < 300
    body = {"instances": [{"b64": in_base64(data[:600_000])}]}
    assert client.post("/v1/models/detector:predict", json=body).status_code in (400, 413)
    assert len(client.answer("/predict", FILE)["images"][0]["objects"]) == 2


def test_a_bomb_is_not_decoded(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssd.serving.request.decode_image", lambda *_, **__: pytest.fail("decoded"))
    assert client.post("/predict", bomb(12_000)).status_code == 413
    pixels = np.zeros((1000, 101, 3), np.uint8)
    header = {"Inference-Header-Content-Length": "0"}
    assert client.post("/v2/models/detector/infer", pixels.tobytes(), headers=header).status_code == 400


def test_pixels_are_counted_in_tensors_too(client: Client) -> None:
    header = (
        b'{"inputs": [{"name": "images", "datatype": "UINT8", "shape": [1000, 101, 3], '
        b'"parameters": {"binary_data_size": 303000}}]}'
    )
    response = client.post(
        "/v2/models/detector/infer",
        header + bytes(303_000),
        headers={"Inference-Header-Content-Length": str(len(header))},
    )
    assert response.status_code == 413
    assert response.json()["error"] == "the image 1 has 101 x 1000 pixels; at most 100000 are taken"


def test_a_png_of_16_bits_is_an_image_as_for_a_prediction(client: Client) -> None:
    deep = A.astype(np.uint16) * 256
    data = cv2.imencode(".png", cv2.cvtColor(deep, cv2.COLOR_RGB2BGR))[1].tobytes()
    found = Detector(FakeNetwork())(data)
    (image,) = client.answer("/predict", data)["images"]
    assert [one["class"] for one in image["objects"]] == found.names == ["disc", "box"]


def test_a_body_of_unknown_length_is_refused_where_it_gets_too_long(client: Client) -> None:
    response = client.post("/predict", iter([bytes(100_000)] * 30))
    assert response.status_code == 413
    assert client.answer("/predict", iter([FILE[:50], FILE[50:]]))["images"][0]["width"] == 64


def test_a_large_body_is_answered_before_all_of_it_has_come(client: Client) -> None:
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as sent:
        sent.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 200000000\r\n\r\n" + bytes(1000))
        assert sent.recv(100).startswith(b"HTTP/1.1 413")


def test_images_of_a_request_are_limited(client: Client) -> None:
    four = [("file", (f"{number}.png", FILE)) for number in range(4)]
    assert len(client.answer("/predict", files=four[:3])["images"]) == 3
    assert "Too many files" in client.post("/predict", files=four).json()["error"]
    response = client.post("/v1/models/detector:predict", json={"instances": [{"b64": in_base64(FILE)}] * 4})
    assert (response.status_code, response.json()["error"]) == (413, "the request has 4 images; at most 3 are taken")


def test_as_many_images_as_bytes_are_refused_before_anything_is_made_of_them(client: Client) -> None:
    def refused(tensor: dict[str, object], content: bytes) -> None:
        tensor = {"name": "images", "parameters": {"binary_data_size": len(content)}} | tensor
        header = json.dumps({"inputs": [tensor]}).encode()
        headers = {"Inference-Header-Content-Length": str(len(header))}
        response = client.post("/v2/models/detector/infer", header + content, headers=headers)
        assert (response.status_code, "images; at most 3 are taken" in response.text) == (413, True)

    refused({"datatype": "UINT8", "shape": [200_000, 1, 1, 3]}, bytes(600_000))
    refused({"datatype": "BYTES", "shape": [200_000]}, bytes(800_000))
    refused({"datatype": "BYTES", "shape": [300_000], "data": [""] * 200_000, "parameters": {}}, b"")
    response = client.post("/v1/models/detector:predict", json={"instances": [0] * 200_000})
    assert (response.status_code, response.json()["error"]) == (
        413,
        "the request has 200000 images; at most 3 are taken",
    )


def test_one_bad_file_refuses_its_own_request_alone(client: Client) -> None:
    parts = [("file", ("good.png", FILE)), ("file", ("bad.png", FILE[:100]))]
    response = client.post("/predict", files=parts)
    assert response.status_code == 400
    assert "bad.png" in response.json()["error"]


def test_a_full_queue_is_503_with_the_time_to_come_back(client: Client) -> None:
    network = HeldNetwork()
    with serving(network, queue=3, max_images=2, batch_size=1) as busy, ThreadPoolExecutor(4) as pool:
        first = pool.submit(busy.answer, "/predict", FILE)
        assert network.is_held.wait(10)
        more = pool.submit(busy.answer, "/predict", encoded(B))
        until(lambda: busy.metric("ssd_queue_images") == 2)
        two = busy.post("/predict", files=[("file", ("a.png", FILE)), ("file", ("b.png", FILE))])
        assert two.status_code == 503, "there is one place left"
        third = pool.submit(busy.answer, "/predict", FILE)
        until(lambda: busy.metric("ssd_queue_images") == 3)
        refused = busy.post("/predict", FILE)
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert refused.json()["error"] == "3 images are at work or wait; try again in a second"
        assert busy.get("/v2/health/ready").status_code == 200
        network.go.set()
        assert [len(one.result(10)["images"][0]["objects"]) for one in (first, more, third)] == [2, 1, 2]
        assert busy.metric("ssd_queue_images") == 0
        assert len(busy.answer("/predict", FILE)["images"][0]["objects"]) == 2


def test_a_body_that_is_on_its_way_has_a_place(client: Client) -> None:
    with serving(queue=1, max_images=1) as busy:
        with socket.create_connection(("127.0.0.1", busy.port), timeout=10) as sent:
            sent.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            until(lambda: busy.post("/predict", FILE).status_code == 503)
        until(lambda: busy.post("/predict", FILE).status_code == 200)  # the one that has gone gives its place back


def test_a_request_that_takes_too_long_is_504_and_a_slow_body_408() -> None:
    network = HeldNetwork()
    with serving(network, timeout=0.3) as slow:
        response = slow.post("/predict", FILE)
        assert (response.status_code, response.json()["error"]) == (504, "the request was not answered in 0.3 s")
        with socket.create_connection(("127.0.0.1", slow.port), timeout=10) as sent:
            sent.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            assert sent.recv(100).startswith(b"HTTP/1.1 408")
        network.go.set()
        until(lambda: slow.metric("ssd_queue_images") == 0)
        assert slow.answer("/predict", FILE)["images"][0]["width"] == 64


def test_a_fault_of_the_network_is_500_for_its_batch_and_the_server_goes_on() -> None:
    class Faulty(FakeNetwork):
        def __call__(self, images, score_threshold):  # type: ignore[no-untyped-def]
            if not self.calls:
                self.calls.append(0)
                raise RuntimeError("secret of the inside")
            return super().__call__(images, score_threshold)

    with serving(Faulty()) as faulty:
        response = faulty.post("/predict", FILE)
        assert (response.status_code, response.json()) == (500, {"error": "a fault of the server; its log tells more"})
        assert len(faulty.answer("/predict", FILE)["images"][0]["objects"]) == 2
        assert faulty.metric("ssd_requests_total", endpoint="/predict", status="500") == 1


def test_good_requests_go_on_beside_hostile_ones(client: Client) -> None:
    stop = threading.Event()

    def attack(data: bytes) -> None:
        while not stop.is_set():
            assert client.post("/predict", data).status_code in (400, 413, 503)

    with ThreadPoolExecutor(6) as pool:
        attacks = [pool.submit(attack, data) for data, _, _ in HOSTILE.values()]
        start = time.monotonic()
        for _ in range(20):
            assert len(client.answer("/predict", FILE)["images"][0]["objects"]) == 2
        assert time.monotonic() - start < 10
        stop.set()
        for one in attacks:
            one.result(10)


def test_an_icon_or_a_video_is_no_way_around_the_limit(client: Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (400, 400)).save(file, "GIF", save_all=True, append_images=[Image.new("RGB", (400, 400), "red")])
    assert client.post("/predict", file.getvalue()).status_code == 413


def test_the_settings_are_those_of_the_task() -> None:
    task = asdict(ServeConfig())
    for item in fields(Settings):
        assert type(task.pop(item.name)) is type(item.default)
    assert set(task) == {"_target_", "name"}
    assert read_settings(asdict(ServeConfig())) == Settings()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"port": 70_000}, "task.port=70000 must be between 0 and 65535"),
        ({"host": "a b"}, "task.host=a b must be an address"),
        ({"model": "a/b"}, "task.model=a/b must be of letters"),
        ({"queue": 0}, "task.queue=0 must be between 1 and 100000"),
        ({"timeout": 0}, "task.timeout=0 must be above 0"),
        ({"queue": 8}, "task.max_images=16 are more than task.queue=8"),
    ],
)
def test_a_setting_out_of_its_range_is_one_sentence(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_settings(asdict(Settings()) | changed, "task.")
