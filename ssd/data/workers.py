"""Who fills the batches: a thread of this process, or several processes, which do not share Python's lock."""

import logging
import math
import multiprocessing
import os
import signal
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from multiprocessing.shared_memory import SharedMemory
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.data.cache import ImageCache, Lock
from ssd.data.loader import Loader, Objects
from ssd.data.shared import in_parts, put, room, shared, take
from ssd.errors import UserError, first_line

log = logging.getLogger(__name__)

T = TypeVar("T")

Filled = tuple[NDArray[np.uint8], Objects]  # images (B, S, S, 3) and what is on them

_AHEAD = 2  # batches that are ready or in work beyond one per worker


class Threads:
    """Fills batches in threads of this process; the decoders and OpenCV work beside each other."""

    def __init__(self, loader: Loader, workers: int, cache_bytes: int) -> None:
        self._loader = replace(loader, cache=ImageCache(len(loader.dataset), cache_bytes))
        self._pool = ThreadPoolExecutor(workers, "batches")
        self._ahead = workers + _AHEAD

    def filled(self, batches: Sequence[NDArray[np.int32]], epoch: int) -> Iterator[Filled]:
        """The batches of these indices, in order, some of them ahead of time.

        Raises:
            UserError: (or whatever else happened) an image of the batch could not be read or augmented.
        """
        loader, size = self._loader, self._loader.image_size

        def fill(indices: NDArray[np.int32]) -> Filled:
            images = np.empty((len(indices), size, size, 3), np.uint8)
            return images, loader.fill(images, indices, epoch)

        return _in_order(self._pool, fill, [(indices,) for indices in batches], self._ahead)


class Processes:
    """Fills batches in processes of their own, which write the images into memory that they share with this one.

    They end with this object, with its process, or when that is killed.
    """

    def __init__(self, loader: Loader, parts: Sequence[memoryview], workers: int, cache_bytes: int) -> None:
        images = len(loader.dataset)
        self._side = loader.image_size
        self._ahead = workers + _AHEAD
        cache = SharedMemory(create=True, size=ImageCache.size(images, cache_bytes))
        # through a pipe it would come one process after the other, each of which would have arrays of its own
        sent = put(parts)
        lengths = [len(part) for part in parts]
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not outlive a fork
        self._pool = ProcessPoolExecutor(
            workers, context, _begin, (sent.name, lengths, context.Lock(), images, cache_bytes, cache.name)
        )
        weakref.finalize(self, _end, self._pool, sent, cache)
        with suppress(BrokenProcessPool):  # which the first batch says
            for _ in range(workers):
                self._pool.submit(os.getpid)  # starts them now, while the network is being built

    def filled(self, batches: Sequence[NDArray[np.int32]], epoch: int) -> Iterator[Filled]:
        """As `Threads.filled`.

        Raises:
            UserError: also where a process was killed.
        """
        slots = self._ahead + 1  # so that a batch is read before its slot's next one is begun
        shape = slots, len(batches[0]) if batches else 0, self._side, self._side, 3
        with shared(math.prod(shape)) as memory:
            tasks = [(memory.name, shape, number % slots, indices, epoch) for number, indices in enumerate(batches)]
            try:
                for number, objects in enumerate(_in_order(self._pool, _fill, tasks, self._ahead)):
                    yield np.ndarray(shape, np.uint8, memory.buf)[number % slots].copy(), objects
            except BrokenProcessPool:
                raise UserError(
                    "a process of the input pipeline was killed, or could not start: if the memory was used up, lower "
                    "pipeline.workers or pipeline.cache_gb, and go on with resume=; a script of your own must begin "
                    'its work below `if __name__ == "__main__":`, since each process runs the rest of it, too'
                ) from None


def make_workers(loader: Loader, workers: int, batch_size: int, cache_bytes: int) -> Threads | Processes:
    """Several workers are processes, where the data set and the transforms can be sent to them and there is room.

    One worker is a thread. So are all where nothing is augmented: decoding does not hold Python's lock, which of an
    augmentation is a fifth, so that two threads give less than two processes (docs/measurements.md). And Python lets a
    daemonic process, such as some launchers' jobs, have no others.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)  # a worker that runs its user's script, without a guard, from the beginning: see `filled`
    if workers == 1 or loader.augmentation is None or multiprocessing.current_process().daemon:
        return Threads(loader, workers, cache_bytes)
    try:
        parts = in_parts(loader)
    except Exception as error:  # of a user's own transform or data set
        log.warning(
            "the data set or a transform cannot be sent to other processes (%s): slower threads of this one augment; "
            "a class in a module of its own, without lambdas, can be sent",
            first_line(error),
        )
        return Threads(loader, workers, cache_bytes)
    batches = batch_size * loader.image_size**2 * 3 * (workers + _AHEAD + 1)
    left = room() - batches - sum(map(len, parts))
    if left < 0:
        log.warning("/dev/shm has no room for batches of processes (docker: --shm-size): slower threads augment")
        return Threads(loader, workers, cache_bytes)
    return Processes(loader, parts, workers, int(min(cache_bytes, left)))


def _in_order(pool: Executor, work: Callable[..., T], tasks: Sequence[tuple[Any, ...]], ahead: int) -> Iterator[T]:
    """What `work` makes of each task, in their order, with so many more of them given to the pool."""
    waiting: deque[Future[T]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, *task))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        wait(waiting)


# What runs in a worker process.

_loader: Loader


def _begin(sent_name: str, lengths: Sequence[int], lock: Lock, images: int, cache_bytes: int, cache_name: str) -> None:
    """Makes this process a worker. An interrupt is the parent's to handle, and its death ends this process."""
    global _loader
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)
    try:
        sent, memory = _attached_for_good(sent_name), _attached_for_good(cache_name)
    except FileNotFoundError:  # the parent ended meanwhile
        os._exit(1)
    cache = ImageCache(images, cache_bytes, lambda size: np.ndarray(size, np.uint8, memory.buf), lock)
    _loader = replace(take(sent, lengths), cache=cache)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _fill(name: str, shape: tuple[int, ...], slot: int, indices: NDArray[np.int32], epoch: int) -> Objects:
    images = np.ndarray(shape, np.uint8, _attached(name).buf)[slot]
    return _loader.fill(images, indices, epoch)


_attached_for_good = lru_cache(maxsize=None)(SharedMemory)
_attached = lru_cache(maxsize=1)(SharedMemory)  # of an epoch, for as long as it lasts


def _end(pool: ProcessPoolExecutor, *memories: SharedMemory) -> None:
    pool.shutdown(wait=False, cancel_futures=True)
    for memory in memories:
        memory.unlink()
        memory.close()
