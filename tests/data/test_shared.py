"""Values in memory that processes share."""

from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory

import numpy as np
import pytest

from ssd.data.shared import in_parts, put, shared, take


@pytest.fixture
def sent() -> Iterator[tuple[SharedMemory, list[int]]]:
    """Two arrays of odd lengths, none of one element, and a text."""
    value = {"name": "ü", "boxes": np.arange(7, dtype=np.float32), "none": np.zeros(0), "flags": np.ones(3, np.bool_)}
    parts = in_parts(value)
    memory = put(parts)
    yield memory, [len(part) for part in parts]
    memory.unlink()


def test_a_value_comes_back_as_it_was(sent: tuple[SharedMemory, list[int]]) -> None:
    value = take(*sent)
    assert value["name"] == "ü"
    np.testing.assert_array_equal(value["boxes"], np.arange(7, dtype=np.float32))
    np.testing.assert_array_equal(value["flags"], np.ones(3, np.bool_))
    assert value["none"].size == 0


def test_arrays_are_not_copied_and_cannot_be_written_to(sent: tuple[SharedMemory, list[int]]) -> None:
    first, second = take(*sent)["boxes"], take(*sent)["boxes"]
    assert np.shares_memory(first, second)
    assert first.ctypes.data % 64 == 0
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1.0


def test_memory_is_gone_afterwards() -> None:
    with shared(10) as memory:
        name = memory.name
        assert memory.size >= 10
    with pytest.raises(FileNotFoundError):
        SharedMemory(name)


def test_what_cannot_be_pickled_is_said_before_any_memory_is_taken() -> None:
    with pytest.raises(Exception, match="lambda"):
        in_parts({"a": lambda: 1})
