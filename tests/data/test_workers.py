"""Threads and processes that fill batches: the same ones, and a clean end whatever happens to them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import albumentations as alb
import cv2
import numpy as np
import pytest

from ssd.data import shared, workers
from ssd.data.augmentation import Augmentation
from ssd.data.images import ImageFiles
from ssd.data.loader import Loader
from ssd.data.one_pass import OnePass
from ssd.data.sample import Annotation, Dataset
from ssd.data.transforms import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.data.workers import Processes, Threads, make_workers
from ssd.errors import UserError

SIZE, EACH = 32, 4


def one_pass() -> OnePass:
    return OnePass([PhotometricDistort(), Expand(), MinIoUCrop(), RandomInterpolationResize(size=SIZE)], SIZE)


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Loader:
    """Of 12 JPEGs with an object each; the last one is damaged."""
    folder, annotations = tmp_path_factory.mktemp("images"), []
    for number in range(12):
        noise = np.random.default_rng(number).integers(0, 256, (100, 120, 3), np.uint8)
        cv2.imwrite(str(folder / f"{number}.jpg"), cv2.GaussianBlur(noise, (0, 0), 5))
        flags, box = np.zeros(1, np.bool_), np.array([[0.2, 0.3, 0.6, 0.9]], np.float32)
        annotations.append(
            Annotation(str(number), 100, 120, box, np.zeros(1, np.int32), flags, flags, np.ones(1, np.float32))
        )
    (folder / "11.jpg").write_bytes(b"no image")
    files = ImageFiles([folder / f"{number}.jpg" for number in range(12)])
    return Loader(Dataset("noise", ("a",), annotations, files), SIZE, 8, one_pass(), 3)


@pytest.fixture(scope="module")
def processes(loader: Loader) -> Processes:
    made = make_workers(loader, 2, EACH, 10**6)
    assert isinstance(made, Processes)
    return made


def batches(*numbers: int) -> list[np.ndarray]:
    return [np.arange(EACH * number, EACH * (number + 1), dtype=np.int32) for number in numbers]


def assert_same(some: Sequence[Any], others: Sequence[Any]) -> None:
    assert len(some) == len(others)
    for (images, objects), (other_images, other_objects) in zip(some, others, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(objects.boxes, other_objects.boxes)
        np.testing.assert_array_equal(objects.labels, other_objects.labels)


def test_processes_fill_what_threads_fill(loader: Loader, processes: Processes) -> None:
    order = batches(0, 1, 0, 0, 1, 1, 0, 1)  # more than are under way at once
    for epoch in (0, 1):
        expected = list(Threads(loader, 2, 0).filled(order, epoch))
        assert_same(list(processes.filled(order, epoch)), expected)
    assert list(processes.filled([], 0)) == []


def test_two_epochs_at_once_do_not_mix(loader: Loader, processes: Processes) -> None:
    one, other = processes.filled(batches(0, 1, 0), 0), processes.filled(batches(1, 0, 1), 1)
    found = [next(one), next(other), next(one), next(other), next(one), next(other)]
    threads = Threads(loader, 1, 0)
    assert_same(found[::2], list(threads.filled(batches(0, 1, 0), 0)))
    assert_same(found[1::2], list(threads.filled(batches(1, 0, 1), 1)))


def test_an_error_comes_with_its_batch_and_the_next_epoch_goes_on(processes: Processes) -> None:
    rest = processes.filled(batches(0, 1, 2), 0)
    next(rest)
    next(rest)
    with pytest.raises(UserError, match=r"11\.jpg cannot be read"):
        next(rest)
    assert len(list(processes.filled(batches(0, 1), 0))) == 2


def test_an_interrupt_is_not_the_workers(processes: Processes) -> None:
    rest = processes.filled(batches(0, 1), 0)
    next(rest)
    for pid in list(processes._pool._processes):
        os.kill(pid, signal.SIGINT)
    next(rest)
    assert len(list(processes.filled(batches(0, 1), 0))) == 2


class Own(alb.ImageOnlyTransform):
    """As a user may write one: with something in it that only this process has."""

    def __init__(self) -> None:
        super().__init__(p=1)
        self.change = lambda image: 255 - image

    def apply(self, img: np.ndarray, **params: Any) -> np.ndarray:
        return self.change(img)


@pytest.mark.parametrize(
    ("count", "augmentation", "room", "said"),
    [
        (1, one_pass(), 1e9, None),
        (2, one_pass(), 1e9, Processes),
        (2, None, 1e9, None),
        (2, Augmentation([Own()]), 1e9, "cannot be sent to other processes"),
        (2, one_pass(), 1e4, "/dev/shm has no room"),
    ],
    ids=["one", "several", "nothing to augment", "an own transform", "no room"],
)
def test_several_workers_are_processes_where_they_can_be(
    loader: Loader,
    count: int,
    augmentation: Any,
    room: float,
    said: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(workers, "room", lambda: room)
    made = make_workers(Loader(loader.dataset, SIZE, 8, augmentation, 3), count, EACH, 1000)
    assert isinstance(made, Processes if said is Processes else Threads)
    assert (said in caplog.text) if isinstance(said, str) else not caplog.messages


def test_a_worker_needs_no_tensorflow() -> None:
    code = "import sys, ssd.data.workers, ssd.data.one_pass, ssd.data.augmentation, ssd.data.readers.voc_folder"
    check = f"{code}; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2]).returncode == 0


SCRIPT = """
import sys
from pathlib import Path

import numpy as np

from ssd.data.images import ImageFiles
from ssd.data.loader import Loader
from ssd.data.one_pass import OnePass
from ssd.data.sample import Annotation, Dataset
from ssd.data.transforms import Expand, MinIoUCrop, PhotometricDistort, RandomInterpolationResize
from ssd.data.workers import make_workers

def work():
    flags, box = np.zeros(1, np.bool_), np.array([[0.2, 0.3, 0.6, 0.9]], np.float32)
    labels, areas = np.zeros(1, np.int32), np.ones(1, np.float32)
    item = Annotation("0", 100, 120, box, labels, flags, flags, areas)
    dataset = Dataset("noise", ("a",), [item], ImageFiles([Path(sys.argv[1])]))
    augment = OnePass([PhotometricDistort(), Expand(), MinIoUCrop(), RandomInterpolationResize(size=32)], 32)
    made = make_workers(Loader(dataset, 32, 8, augment, 3), 2, 1, 1000)
    ((images, objects),) = made.filled([np.zeros(1, np.int32)], 0)
    print(type(made).__name__, images.shape)

"""


def test_a_user_s_own_script_without_a_guard(tmp_path: Path, loader: Loader) -> None:
    """Each process runs it, too: that ends in a sentence, not in processes without end."""
    assert isinstance(loader.dataset.read, ImageFiles)
    (tmp_path / "mine.py").write_text(f"{SCRIPT}work()\n")
    command = [sys.executable, str(tmp_path / "mine.py"), str(loader.dataset.read.paths[0])]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=tmp_path)
    assert ended.returncode == 1
    assert 'must begin its work below `if __name__ == "__main__":`' in ended.stderr


def test_a_killed_process_is_said_and_the_memory_of_the_epoch_given_back(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one here, as it takes the others' processes."""
    names: list[str] = []

    class Named(SharedMemory):
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            names.append(self.name)

    monkeypatch.setattr(shared, "SharedMemory", Named)
    rest = processes.filled(batches(0, *[1] * 50), 0)
    next(rest)
    (name,) = names
    os.kill(next(iter(processes._pool._processes)), signal.SIGKILL)
    with pytest.raises(UserError, match="a process of the input pipeline was killed"):
        list(rest)
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)
