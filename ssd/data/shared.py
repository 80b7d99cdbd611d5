"""Memory that processes share, and values in it: an array of a value lies there once for all of them."""

import math
import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

_ALIGNED = 64  # bytes; so that arrays begin where the processor likes it


def in_parts(value: Any) -> list[memoryview]:
    """A value pickled, followed by its arrays as they lie in memory (pickle's protocol 5, PEP 574).

    Raises:
        Exception: whatever pickling it raises.
    """
    arrays: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(value, protocol=5, buffer_callback=arrays.append)
    return [memoryview(pickled), *(array.raw() for array in arrays)]


def put(parts: Sequence[memoryview]) -> SharedMemory:
    """New memory with the parts of a value; whoever made it unlinks it."""
    lengths = [len(part) for part in parts]
    memory = SharedMemory(create=True, size=_starts(lengths)[-1])
    for part, place in zip(parts, _places(memory, lengths), strict=True):
        place[:] = part
    return memory


def take(memory: SharedMemory, lengths: Sequence[int]) -> Any:
    """The value of `put`, whose parts have these lengths. Its arrays are read-only views of the memory."""
    pickled, *arrays = _places(memory, lengths)
    return pickle.loads(pickled, buffers=[array.toreadonly() for array in arrays])


@contextmanager
def shared(size: int) -> Iterator[SharedMemory]:
    """New memory of so many bytes, for a while."""
    memory = SharedMemory(create=True, size=max(size, 1))
    try:
        yield memory
    finally:
        memory.unlink()
        memory.close()


def room() -> float:
    """Bytes that the system has for shared memory; half of what is free, since others may want some."""
    place = Path("/dev/shm")
    if not place.is_dir():
        return math.inf
    free = os.statvfs(place)
    return free.f_bavail * free.f_frsize / 2


def _places(memory: SharedMemory, lengths: Sequence[int]) -> list[memoryview]:
    whole, starts = memoryview(memory.buf), _starts(lengths)  # type: ignore[arg-type]
    return [whole[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def _starts(lengths: Sequence[int]) -> list[int]:
    """Where each part begins, and where the last one ends."""
    return list(accumulate((math.ceil(length / _ALIGNED) * _ALIGNED for length in lengths), initial=0))
