"""Images of many requests on their way through one detector: decoded in threads, detected in by batches in another."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from threading import Condition, Thread
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ssd.inference.views import View
from ssd.prediction.detector import Detector
from ssd.prediction.image_detections import ImageDetections
from ssd.prediction.pictures import Picture
from ssd.serving.request import Upload


@dataclass(eq=False)
class _Job:
    """An image on its way."""

    upload: Upload
    score_threshold: float
    future: Future[ImageDetections] = field(default_factory=Future)
    size: tuple[int, int] = (0, 0)  # height and width of the whole image
    image: NDArray[np.uint8] | None = None  # (S, S, 3), of the network's own size


class Batcher:
    """Takes images one by one and detects in them together.

    An image goes on as soon as the network is free, with all that are decoded by then, and waits for others only while
    there are some to decode. It is made as small as the network's input where it is decoded, so that those which wait
    take little memory.

    Args:
        detector: that looks at each image as a whole (neither flip nor tiles).
        batch_size: images that pass the network together, at most.
        max_wait: seconds that a decoded image waits for others, at most, once the network is free.
        max_pixels: of an image.
        decoders: threads that decode.
        told: called with the images of a batch and the seconds that it took.
    """

    def __init__(
        self,
        detector: Detector,
        *,
        batch_size: int,
        max_wait: float,
        max_pixels: int,
        decoders: int,
        told: Callable[[int, float], None],
    ) -> None:
        self._detector = detector
        self._batch_size = batch_size
        self._max_wait = max_wait
        self._max_pixels = max_pixels
        self._told = told
        self._changed = Condition()  # all below is read and written under it
        self._waiting: deque[_Job] = deque()
        self._decoding = 0
        self._decoded: deque[_Job] = deque()
        self._detecting = 0
        self._closed = False
        self._threads = [Thread(target=self._decode_all, name=f"decoder-{n}", daemon=True) for n in range(decoders)]
        self._threads.append(Thread(target=self._detect_all, name="detector", daemon=True))
        for thread in self._threads:
            thread.start()

    def __len__(self) -> int:
        """The images that are not answered yet; one whose future was cancelled counts until its turn comes."""
        with self._changed:
            return len(self._waiting) + self._decoding + len(self._decoded) + self._detecting

    @property
    def is_alive(self) -> bool:
        """Whether all of its threads run."""
        return all(thread.is_alive() for thread in self._threads)

    def submit(self, uploads: Sequence[Upload], score_threshold: float) -> list[Future[ImageDetections]]:
        """Takes images; what is raised by a future is what is wrong with its image."""
        jobs = [_Job(upload, score_threshold) for upload in uploads]
        with self._changed:
            if self._closed:
                raise RuntimeError("the batcher is closed")
            self._waiting += jobs
            self._changed.notify_all()
        return [job.future for job in jobs]

    def close(self) -> None:
        """Finishes what it has, then ends its threads."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _decode_all(self) -> None:
        while (job := self._next_to_decode()) is not None:
            is_done = not job.future.cancelled() and self._decode(job)
            with self._changed:
                self._decoding -= 1
                if is_done:
                    self._decoded.append(job)
                self._changed.notify_all()

    def _next_to_decode(self) -> _Job | None:
        """None: there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room if self._waiting else self._closed)
            if not self._waiting:
                return None
            self._decoding += 1
            return self._waiting.popleft()

    def _decode(self, job: _Job) -> bool:
        """Whether it could be."""
        try:
            image = job.upload.picture(self._max_pixels).image
            job.size = (image.shape[0], image.shape[1])
            job.image = View(0, 0, *job.size).of(image, self._detector.network.image_size)
        except Exception as error:
            _fail(job, error)
            return False
        return True

    def _detect_all(self) -> None:
        while batch := self._next_batch():
            jobs = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if jobs:
                self._detect(jobs)
            with self._changed:
                self._detecting = 0

    def _next_batch(self) -> list[_Job]:
        """Empty: there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._decoded or (self._closed and not self._is_more_to_come))
            self._changed.wait_for(
                lambda: len(self._decoded) >= self._batch_size or not self._is_more_to_come, self._max_wait
            )
            batch = [self._decoded.popleft() for _ in range(min(len(self._decoded), self._batch_size))]
            self._detecting = len(batch)
            self._changed.notify_all()
            return batch

    @property
    def _has_room(self) -> bool:
        return len(self._decoded) + self._decoding < 2 * self._batch_size

    @property
    def _is_more_to_come(self) -> bool:
        return bool(self._waiting or self._decoding)

    def _detect(self, jobs: list[_Job]) -> None:
        """Together at the least of their thresholds: what a higher one leaves out suppresses nothing above it."""
        start = perf_counter()
        try:
            pictures = [Picture(job.image) for job in jobs if job.image is not None]
            every = list(self._detector.detect_in(pictures, min(job.score_threshold for job in jobs)))
        except Exception as error:
            for job in jobs:
                job.future.set_exception(error)
            return
        self._told(len(jobs), perf_counter() - start)
        for job, found in zip(jobs, every, strict=True):
            job.future.set_result(replace(found.above(job.score_threshold), image_size=job.size, image=None))


def _fail(job: _Job, error: Exception) -> None:
    if job.future.set_running_or_notify_cancel():
        job.future.set_exception(error)
