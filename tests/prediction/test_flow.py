"""Working ahead: in order, within bounds, and errors in their turn."""

import threading
from collections.abc import Iterator
from itertools import count, islice

import pytest

from ssd.prediction.flow import ahead


def test_results_come_in_order_whatever_takes_longer() -> None:
    first = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert first.wait(5)
        if item == 1:
            first.set()
        return 10 * item

    assert list(ahead(work, range(5), threads=2, depth=3)) == [0, 10, 20, 30, 40]


def test_no_more_than_depth_are_taken_of_what_has_no_end() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in count():
            taken.append(item)
            yield item

    results = ahead(lambda item: item, items(), threads=1, depth=3)
    assert list(islice(results, 4)) == [0, 1, 2, 3]
    assert len(taken) <= 3 + 3
    results.close()  # type: ignore[attr-defined]


def test_an_error_comes_in_its_turn() -> None:
    def work(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    results = ahead(work, range(5), threads=2, depth=5)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_what_the_items_raise_comes_behind_the_results_of_those_before() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ValueError("no fourth")

    results = ahead(lambda item: item, items(), threads=2, depth=10)
    assert [next(results), next(results), next(results)] == [0, 1, 2]
    with pytest.raises(ValueError, match="no fourth"):
        next(results)
