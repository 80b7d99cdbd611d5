"""Decoded images kept in memory, for the threads of one process or for several processes."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from ssd.data.formats import REDUCTIONS

Lock = AbstractContextManager[object]


class ImageCache:
    """Images by index and by how much their sides were reduced, until a number of bytes is reached.

    Then it takes no more: each is used once an epoch, so that none is worth another's place. It lies in one block of
    memory, whose pages the system gives when they are first written to.

    Args:
        images: of the data set.
        max_bytes: of pixels, at most.
        block: makes (N,) uint8 zeros for N bytes, such as shared memory.
        lock: of all who share it.
    """

    def __init__(
        self,
        images: int,
        max_bytes: int,
        block: Callable[[int], NDArray[np.uint8]] = lambda size: np.zeros(size, np.uint8),
        lock: Lock | None = None,
    ) -> None:
        numbers = _numbers(images)
        memory = block(self.size(images, max_bytes))
        table = memory[: 8 * numbers].view(np.int64)
        self._used = table[:1]  # bytes
        self._starts = table[1:].reshape(images, len(REDUCTIONS))  # where an entry begins, plus 1; 0: there is none
        self._room = memory[8 * numbers :]
        self._lock = lock or threading.Lock()

    @staticmethod
    def size(images: int, max_bytes: int) -> int:
        """Bytes of the block that it asks for."""
        return 8 * _numbers(images) + max_bytes

    def get(self, index: int, reduction: int = 1) -> NDArray[np.uint8] | None:
        """(H, W, 3), not to be written to."""
        start = int(self._starts[index, REDUCTIONS.index(reduction)]) - 1
        if start < 0:
            return None
        height, width = self._room[start : start + _HEADER].view(np.int32).tolist()
        image = self._room[start + _HEADER : start + _HEADER + height * width * 3].reshape(height, width, 3)
        image.flags.writeable = False
        return image

    def put(self, index: int, image: NDArray[np.uint8], *reductions: int) -> None:
        """Keeps an image where there is room for it; it stands for all these reductions."""
        columns = [REDUCTIONS.index(reduction) for reduction in reductions]
        known = int(self._starts[index, columns].max())
        if not known:
            size = -(-(_HEADER + image.nbytes) // _HEADER) * _HEADER
            with self._lock:
                start = int(self._used[0])
                if start + size > len(self._room):
                    return
                self._used[0] += size
            self._room[start : start + _HEADER].view(np.int32)[:] = image.shape[:2]
            self._room[start + _HEADER : start + _HEADER + image.nbytes] = image.reshape(-1)
            known = start + 1
        self._starts[index, columns] = known  # last, so that nobody finds an entry that is not whole


def _numbers(images: int) -> int:
    """Of its table: bytes used so far, and where each entry begins."""
    return 1 + images * len(REDUCTIONS)


_HEADER = 8  # bytes: height and width
