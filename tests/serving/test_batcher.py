"""Images of different requests pass the network together, and none is lost."""

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_network import FakeNetwork
from helpers.serving import A, B, HeldNetwork, encoded, serving, until
from ssd.errors import UserError
from ssd.prediction.detector import Detector
from ssd.serving.batcher import Batcher
from ssd.serving.request import Upload

FILES = [encoded(A), encoded(B)]
told: list[tuple[int, float]] = []


def batcher(network: FakeNetwork, batch_size: int = 4, max_wait: float = 0.005, decoders: int = 2) -> Batcher:
    told.clear()
    return Batcher(
        Detector(network, batch_size=batch_size),
        batch_size=batch_size,
        max_wait=max_wait,
        max_pixels=10**6,
        decoders=decoders,
        told=lambda images, seconds: told.append((images, seconds)),
    )


def upload(number: int) -> Upload:
    return Upload(f"image {number}", FILES[number % 2])


@pytest.fixture
def held() -> Iterator[HeldNetwork]:
    network = HeldNetwork()
    yield network
    network.go.set()


def test_what_comes_while_the_network_is_busy_goes_together(held: HeldNetwork) -> None:
    queue = batcher(held)
    first = queue.submit([upload(0)], 0.5)
    assert held.is_held.wait(10)
    rest = [future for number in range(1, 7) for future in queue.submit([upload(number)], 0.5)]
    until(lambda: len(queue._decoded) == 6)
    assert len(queue) == 7
    held.go.set()
    names = [future.result(10).names for future in first + rest]
    assert names == [["disc", "box"], ["disc"]] * 3 + [["disc", "box"]]
    assert held.calls == [1, 4, 2]
    assert [images for images, _ in told] == held.calls
    assert len(queue) == 0
    queue.close()


def test_requests_share_batches_over_http(held: HeldNetwork) -> None:
    with serving(held, batch_size=4) as client, ThreadPoolExecutor(5) as pool:
        answers = [pool.submit(client.answer, "/predict", FILES[0])]
        assert held.is_held.wait(10)
        answers += [pool.submit(client.answer, "/predict", FILES[1]) for _ in range(4)]
        until(lambda: client.metric("ssd_queue_images") == 5)
        held.go.set()
        assert [len(one.result(10)["images"][0]["objects"]) for one in answers] == [2, 1, 1, 1, 1]
        assert client.metric("ssd_batch_images_count") == len(held.calls) < 5
        assert client.metric("ssd_batch_images_sum") == sum(held.calls) == 5


def test_a_lone_image_waits_for_nobody() -> None:
    queue = batcher(FakeNetwork(), max_wait=5.0)
    start = time.monotonic()
    queue.submit([upload(0)], 0.5)[0].result(10)
    assert time.monotonic() - start < 1
    queue.close()


def test_an_image_waits_for_one_that_is_being_decoded_but_not_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = Upload.picture

    def slowly(self: Upload, max_pixels: int) -> object:
        time.sleep(0.3 if self.name == "image 1" else 0)
        return real(self, max_pixels)

    monkeypatch.setattr(Upload, "picture", slowly)
    for max_wait, batches in ((5.0, [2]), (0.05, [1, 1])):
        network = FakeNetwork()
        queue = batcher(network, max_wait=max_wait)
        for future in queue.submit([upload(0), upload(1)], 0.5):
            future.result(10)
        assert network.calls == batches
        queue.close()


def test_each_image_has_its_own_threshold_in_a_common_batch(held: HeldNetwork) -> None:
    queue = batcher(held)
    queue.submit([upload(1)], 0.5)
    assert held.is_held.wait(10)
    futures = [queue.submit([upload(0)], threshold)[0] for threshold in (0.5, 0.7, 0.95)]
    until(lambda: len(queue._decoded) == 3)
    held.go.set()
    assert [future.result(10).names for future in futures] == [["disc", "box"], ["disc"], []]
    assert held.calls == [1, 3]
    queue.close()


def test_what_nobody_waits_for_is_passed_over(held: HeldNetwork) -> None:
    queue = batcher(held, batch_size=1, decoders=1)
    first, *rest = queue.submit([upload(number) for number in range(5)], 0.5)
    assert held.is_held.wait(10)
    assert all(future.cancel() for future in rest[:3])
    held.go.set()
    assert first.result(10).names == ["disc", "box"]
    assert rest[3].result(10).names == ["disc", "box"]
    with pytest.raises(CancelledError):
        rest[0].result(0)
    queue.close()
    assert held.calls == [1, 1]
    assert len(queue) == 0


def test_what_waits_is_small_however_large_it_was(held: HeldNetwork) -> None:
    queue = batcher(held, batch_size=2)
    large = np.zeros((900, 1000, 3), np.uint8)
    queue.submit([Upload("large", large)] * 12, 0.5)
    until(lambda: len(queue._decoded) == 4)  # twice a batch; the others are not decoded yet
    time.sleep(0.05)
    assert len(queue._decoded) == 4
    assert {job.image.shape for job in queue._decoded if job.image is not None} == {(64, 64, 3)}
    held.go.set()
    queue.close()
    assert sum(held.calls) == 12


def test_closing_finishes_what_is_there_and_takes_nothing_more(held: HeldNetwork) -> None:
    queue = batcher(held, batch_size=2, decoders=1)
    futures = queue.submit([upload(number) for number in range(9)], 0.5)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(queue.close)
        until(lambda: queue._closed)
        with pytest.raises(RuntimeError, match="closed"):
            queue.submit([upload(0)], 0.5)
        assert queue.is_alive
        held.go.set()
        closing.result(10)
    assert all(len(future.result(0)) for future in futures)
    assert not queue.is_alive


@given(
    kinds=st.lists(st.sampled_from(["good", "bad", "cancelled"]), max_size=30),
    batch_size=st.integers(1, 5),
    decoders=st.integers(1, 3),
)
def test_every_image_is_answered_once_whatever_comes(kinds: list[str], batch_size: int, decoders: int) -> None:
    queue = batcher(FakeNetwork(), batch_size, 0.0, decoders)
    futures = []
    for kind in kinds:
        futures += queue.submit([Upload("bad", b"no image") if kind == "bad" else upload(0)], 0.5)
        if kind == "cancelled":
            futures[-1].cancel()
    queue.close()
    assert len(queue) == 0
    for kind, future in zip(kinds, futures, strict=True):
        if kind == "bad":
            assert isinstance(future.exception(0), UserError)
        elif not future.cancelled():
            assert len(future.result(0)) == 2
