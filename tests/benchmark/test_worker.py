"""One measurement: what it says fits together, and turns that others disturb do not count."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd import Detector
from ssd.benchmark import worker
from ssd.benchmark.worker import Job, main, measure
from ssd.export.matrix import Variant
from ssd.export.network_only import write_network_only
from ssd.export.write import write_export
from ssd.inference.load import Clock


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("job")
    file = write_export(make_detector(), Variant("onnx", "float32"), "run", folder)
    images = []
    for number, noise in enumerate(np.random.default_rng(0).integers(0, 256, (3, 40, 50, 3), np.uint8)):
        images.append(folder / f"image_{number}")
        images[-1].write_bytes(cv2.imencode(".png", noise)[1].tobytes())
    network = write_network_only("onnx", file, folder)
    return Job(str(file), str(network), "float32", 2, tuple(map(str, images)), 0.3, 0.05)


def test_a_measurement(job: Job) -> None:
    found = measure(job)
    assert 0 < found.latency <= found.p95
    assert found.read + found.resize + found.network + found.nms == pytest.approx(found.latency, rel=0.5)
    assert min(found.read, found.resize, found.network, found.images_per_second, found.start) > 0
    assert 50 < found.memory < 20_000
    assert found.detections == sum(map(len, Detector.load(job.detector, score_threshold=0.3)(job.images)))


def test_what_cannot_be_measured_is_a_sentence(job: Job, tmp_path: Path) -> None:
    damaged = tmp_path / "detector.onnx"
    damaged.write_bytes(b"no")
    (tmp_path / "job.json").write_text(json.dumps({**asdict(job), "detector": str(damaged)}))
    main(tmp_path / "job.json", tmp_path / "result.json")
    said = json.loads((tmp_path / "result.json").read_text())
    assert "cannot be read as an exported detector" in said["error"]


class Machine:
    """Time that passes in work alone, a second each, while others use so much of the one core."""

    def __init__(self, others: Iterator[float]) -> None:
        self.now = self.busy = 0.0
        self.others = others

    def work(self) -> list[tuple[float, ...]]:
        share = next(self.others)
        self.now += 1
        self.busy += 1 + share
        return [(share,)]

    def read(self) -> Clock:
        return Clock(wall=self.now, busy=self.busy, own=self.now)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], Machine]:
    def make(others: Iterator[float]) -> Machine:
        made = Machine(others)
        monkeypatch.setattr(worker, "clock", made.read)
        monkeypatch.setattr("ssd.inference.load.available_cores", lambda: 1)
        return made

    return make


def test_turns_that_others_disturb_do_not_count(machine: Callable[[Iterator[float]], Machine]) -> None:
    there = machine(chain([0.0, 0.5, 0.02, 0.3], repeat(0.0)))
    turns = worker.undisturbed(there.work, seconds=3, least=2)
    assert [row for turn in turns for row in turn.rows] == [(0.0,), (0.02,), (0.0,)]
    assert there.now == 5


def test_where_others_never_stop_all_turns_count(machine: Callable[[Iterator[float]], Machine]) -> None:
    there = machine(repeat(0.4))
    turns = worker.undisturbed(there.work, seconds=2, least=3)
    assert len(turns) == there.now == 6  # three times as long as it would take
    assert {round(turn.others, 6) for turn in turns} == {0.4}
    slow = machine(repeat(0.4))
    assert len(worker.undisturbed(slow.work, seconds=0.1, least=3)) == 3
