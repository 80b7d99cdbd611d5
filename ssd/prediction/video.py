"""Videos, cameras and streams by OpenCV (FFmpeg): frames in, frames out."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd import interrupts
from ssd.errors import UserError
from ssd.prediction.flow import ahead
from ssd.prediction.reading import Shown
from ssd.prediction.sources import Kind, Source

log = logging.getLogger(__name__)

USUAL_RATE = 25.0  # frames a second, of a camera that does not tell its own
_SILENCE = 10_000  # milliseconds that a stream may take to open, or to its next frame
_WAITING = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _SILENCE, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _SILENCE]


class Video:
    """An open video, camera or stream.

    Attributes:
        rate: frames a second.
        frames: how many it says that it has; None where it has no end.
    """

    def __init__(self, capture: cv2.VideoCapture, source: Source) -> None:
        self._capture = capture
        self._source = source
        rate, frames = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)
        self.rate = rate if 0 < rate <= 1000 else USUAL_RATE
        self.frames = int(frames) if source.kind == Kind.video and frames > 0 else None

    def shown(self, depth: int) -> Iterator[Shown]:
        """Its frames until the last, or until a signal asks to stop; `depth` of them are read ahead."""
        place = self._source.place.with_suffix("")
        for number, image in enumerate(ahead(self._read, count(), threads=1, depth=depth)):
            if image is None or interrupts.received:
                return
            yield Shown(self._source.name, place / f"{place.name}_{number:06d}.jpg", image, frame=number)

    def _read(self, _: int) -> NDArray[np.uint8] | None:
        is_read, frame = self._capture.read()
        return cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if is_read else None  # type: ignore[return-value]


@contextmanager
def opened(source: Source) -> Iterator[Video]:
    """The video, closed at the end of the block.

    Raises:
        UserError: it cannot be opened.
    """
    is_camera = source.name.isdecimal()
    if is_camera:
        capture = cv2.VideoCapture(int(source.name))
    else:
        capture = cv2.VideoCapture(source.name, cv2.CAP_FFMPEG, _WAITING)
    try:
        if not capture.isOpened():
            what = "camera" if is_camera else "video"
            raise UserError(
                f"the {what} {source.name} cannot be opened: "
                + (
                    "check its number and its rights"
                    if is_camera
                    else "it is damaged, of a kind that is not read or away"
                )
            )
        yield Video(capture, source)
    finally:
        capture.release()


@contextmanager
def written(file: Path, rate: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """What is given to the function becomes a video (.mp4, MPEG-4), moved to its place once it is whole.

    MPEG-4 has even sides only: an odd last row or column of the frames is left out.

    Args:
        file: of the video.
        rate: frames a second.

    Raises:
        UserError: it cannot be written.
    """
    part = file.with_name(f".{file.stem}.part{file.suffix}")
    writers: list[Any] = []

    def write(image: NDArray[np.uint8]) -> None:
        height, width = image.shape[:2]
        if not writers:
            file.parent.mkdir(parents=True, exist_ok=True)
            writers.append(cv2.VideoWriter(str(part), cv2.VideoWriter.fourcc(*"mp4v"), rate, (width, height)))
            if not writers[0].isOpened():
                raise UserError(
                    f"the video {file} cannot be written: OpenCV has no encoder for {width} x {height} here"
                )
        writers[0].write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    try:
        yield write
    finally:
        for writer in writers:
            writer.release()
        with suppress(FileNotFoundError):  # without a frame there is none
            os.replace(part, file)
