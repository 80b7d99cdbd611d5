"""The pass over a split: the thread beside the network, signals, and the weights that it is made with."""

import signal
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from helpers.batches import five_batches
from helpers.fake_detector import make_detector
from ssd import interrupts
from ssd.data.pipeline import Batch, Batches
from ssd.evaluation.validation import Outputs, one_behind, validate
from ssd.inference.keras_network import KerasNetwork


def test_a_result_is_made_while_the_next_item_is() -> None:
    is_begun, is_next = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert is_begun.wait(10)
        is_next.set()
        yield 1

    def function(item: int) -> tuple[int, bool]:
        is_begun.set()
        return 10 * item, is_next.wait(10)

    assert list(one_behind(function, items())) == [(0, True), (10, True)]


def test_results_keep_the_order_and_of_nothing_comes_nothing() -> None:
    assert list(one_behind(lambda item: item**2, range(50))) == [item**2 for item in range(50)]
    assert list(one_behind(lambda item: item, [])) == []


@pytest.mark.parametrize("error", [ValueError("the third"), KeyboardInterrupt()])
@pytest.mark.parametrize("place", ["item", "function"])
def test_what_is_raised_comes_out_behind_what_was_done(error: BaseException, place: str) -> None:
    def fail(at: str, item: int) -> int:
        if at == place and item == 2:
            raise error
        return item

    before = set(threading.enumerate())
    found = one_behind(lambda item: fail("function", item), (fail("item", item) for item in range(4)))
    assert next(found) == 0
    with pytest.raises(type(error)) as caught:
        list(found)
    assert caught.value is error
    assert set(threading.enumerate()) <= before


@pytest.fixture
def batches() -> Batches:
    return five_batches()


def test_a_pass_finds_what_the_network_finds_with_the_weights_of_now(batches: Batches) -> None:
    model = make_detector()
    network = KerasNetwork(model)
    for variable in model.weights:
        variable.assign(variable + 0.5)
    network.refresh()
    observed = list[int]()
    found = validate(network, batches, 0.5, lambda batch, _: observed.extend(batch["index"].numpy())).detections
    fresh = KerasNetwork(model)
    expected = [one for batch in batches.epoch(0) for one in fresh.decode(fresh.outputs(batch["image"]))][:5]
    assert observed == [0, 1, 2, 3, 4, -1]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
        np.testing.assert_array_equal(one.scores, other.scores)


def test_a_signal_stops_it_before_the_next_batch(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_detector()
    monkeypatch.setattr(interrupts, "received", [])
    seen = list[tf.Tensor]()

    def observe(batch: Batch, outputs: Outputs) -> None:
        seen.append(batch["index"])
        interrupts.received.append(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        validate(KerasNetwork(model), batches, 0.5, observe)
    assert len(seen) in (1, 2)  # of three
