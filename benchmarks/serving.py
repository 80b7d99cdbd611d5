"""A server under load: images per second and latency at 1, 8 and 32 clients, then hostile uploads beside good ones.

    python benchmarks/serving.py outputs/latest/exports/openvino_bfloat16/detector.xml FOLDER_OF_JPEGS
    python benchmarks/serving.py DETECTOR.xml FOLDER --images 200 --server=--batch_size=1

The server is a process of its own (`python -m ssd.serving`) on the same machine, and the clients, threads that keep
their connection and send one file after the other by `POST /predict`, take their share of it. Every answer is compared
with what `Detector` finds in the file; ends with an error if one is missing or another, or if a hostile upload is not
refused. Nothing else may run.
"""

import argparse
import json
import os
import re
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlsplit

import numpy as np
from rich.console import Console
from rich.table import Table

from ssd import Detector
from ssd.environment import ROOT
from ssd.prediction.image_detections import ImageDetections

CLIENTS = (1, 8, 32)
LARGE = 200_000_000  # bytes
THRESHOLD = 0.5


@dataclass
class Load:
    """What a number of clients got."""

    clients: int
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[tuple[int, bytes]] = field(default_factory=list)  # of which file, and what was said
    again: int = 0  # requests that were sent again, after a 503


class Server:
    """The address of one, and what it says of itself."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0

    def connect(self) -> HTTPConnection:
        """A connection of one's own."""
        return HTTPConnection(self.host, self.port, timeout=120)

    def metric(self, name: str) -> float:
        """A number of /metrics without labels."""
        connection = self.connect()
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0


@contextmanager
def started(detector: Path, settings: Sequence[str]) -> Iterator[Server]:
    """The server, until it is told to stop; that it ends well is checked."""
    command = [
        sys.executable,
        "-m",
        "ssd.serving",
        str(detector),
        "--port=0",
        f"--score_threshold={THRESHOLD}",
        *settings,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            server = Server(re.findall(r"http://\S+", process.stdout.readline())[0])
            server.metric("up")  # it has started when it answers
            yield server
            process.terminate()
            assert process.wait(60) == 0, "the server did not end well"
        finally:
            process.kill()


def load(server: Server, files: Sequence[bytes], clients: int, requests: int) -> Load:
    """So many requests in all, by so many clients at once."""
    result, lock = Load(clients), threading.Lock()
    numbers = iter(range(requests))

    def work() -> None:
        connection = server.connect()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                break
            row = number % len(files)
            start = time.perf_counter()
            status, answer = ask(connection, files[row])
            while status == 503:
                with lock:
                    result.again += 1
                time.sleep(1)
                status, answer = ask(connection, files[row])
            with lock:
                result.latencies.append(time.perf_counter() - start)
                result.answers.append((row, answer if status == 200 else b"{}"))
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    result.seconds = time.perf_counter() - start
    return result


def ask(connection: HTTPConnection, body: bytes) -> tuple[int, bytes]:
    """Status and answer."""
    connection.request("POST", "/predict", body, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    return response.status, response.read()


def lost(result: Load, expected: Sequence[ImageDetections], requests: int) -> int:
    """Requests without an answer, or with another one than the detector's own."""
    right = 0
    for row, answer in result.answers:
        objects = json.loads(answer).get("images", [{}])[0].get("objects", [])
        boxes = np.array([one["box"] for one in objects], np.float32).reshape(-1, 4)
        found = expected[row]
        right += [one["class"] for one in objects] == found.names and np.allclose(boxes, found.xyxy, atol=0.01)
    return requests - right


def hostile(sample: bytes) -> dict[str, tuple[bytes | Iterator[bytes], int]]:
    """What must be refused: content, and its length in bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 13_000, 13_000, 8, 0, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(13_001 * 13_000), 9)) + chunk(b"IEND", b"")
    text = b"no picture, but a text. " * 1000
    cut = sample[: len(sample) // 2]
    large = (bytes(1 << 20) for _ in range(0, LARGE, 1 << 20))
    return {
        "decompression bomb, 13000 x 13000": (bomb, len(bomb)),
        "text": (text, len(text)),
        "truncated JPEG": (cut, len(cut)),
        "200 MB": (large, -(-LARGE >> 20) << 20),
    }


def attack(server: Server, sample: bytes) -> list[tuple[str, int, str, float]]:
    """Sends each hostile upload: its name, the status, what was said, seconds."""
    said = []
    for name, (body, length) in hostile(sample).items():
        connection = server.connect()
        start = time.perf_counter()
        connection.request("POST", "/predict", body, {"Content-Length": str(length)})
        response = connection.getresponse()
        said.append((name, response.status, json.loads(response.read())["error"], time.perf_counter() - start))
        connection.close()
    return said


def row(result: Load, name: str, batches: float, missing: int) -> list[str]:
    """Of the table."""
    milliseconds = [1000 * seconds for seconds in result.latencies]
    cuts = quantiles(milliseconds, n=100)
    count = len(milliseconds)
    return [
        name,
        f"{count / result.seconds:.1f}",
        *(f"{value:.0f}" for value in (median(milliseconds), cuts[94], cuts[98])),
        f"{count / batches:.1f}" if batches else "-",
        str(result.again),
        str(missing),
    ]


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", type=Path)
    parser.add_argument("folder", type=Path, help="of JPEG files")
    parser.add_argument("--images", type=int, default=600, help="of each number of clients")
    parser.add_argument(
        "--server", action="append", default=[], help="a setting of the server: --server=--batch_size=1"
    )
    args = parser.parse_args()
    files = [file.read_bytes() for file in sorted(args.folder.glob("*.jpg"))[:100]]
    detector = Detector.load(args.detector, score_threshold=THRESHOLD)
    start = time.perf_counter()
    expected = detector(files)
    alone = len(files) / (time.perf_counter() - start)
    del detector  # its threads
    table = Table(
        "clients", "images/s", "median ms", "p95 ms", "p99 ms", "batch", "503", "lost", title=str(args.detector)
    )
    missing = 0
    with started(args.detector, args.server) as server:
        load(server, files, 8, 40)  # what is made at first use
        for clients in CLIENTS:
            before = server.metric("ssd_batch_images_count")
            result = load(server, files, clients, args.images)
            wrong = lost(result, expected, args.images)
            table.add_row(*row(result, str(clients), server.metric("ssd_batch_images_count") - before, wrong))
            missing += wrong
        said: list[tuple[str, int, str, float]] = []
        attacker = threading.Thread(target=lambda: said.extend(attack(server, files[0])))
        attacker.start()
        result = load(server, files, 8, args.images)
        attacker.join()
        wrong = lost(result, expected, args.images)
        table.add_row(*row(result, "8, and hostile ones", 0, wrong))
        missing += wrong
        memory = server.metric("process_resident_memory_bytes") / 1e6
    Console(width=160).print(table)
    print(
        f"Detector alone in one process, {len(files)} files: {alone:.1f} images/s; the server's memory: {memory:.0f} MB"
    )
    for name, status, sentence, seconds in said:
        print(f"{name}: {status} in {seconds:.2f} s: {sentence}")
    refused = len(said) == len(hostile(files[0])) and all(400 <= status < 500 for _, status, _, _ in said)
    if missing or not refused:
        sys.exit(f"error: {missing} answers lost; hostile uploads {'' if refused else 'not '}refused")


if __name__ == "__main__":
    main()
