"""What a request asks for, whatever its protocol; and the body that it comes in, up to a limit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.types import Message

from ssd.data.images import decode_image, encoded_size
from ssd.errors import is_writable
from ssd.prediction.image_detections import ImageDetections
from ssd.prediction.pictures import Picture, read_picture

_LONGEST_NAME = 100


class Refused(Exception):  # noqa: N818  (no fault of anything)
    """A request that is not answered.

    Args:
        status: HTTP's.
        reason: a sentence for whoever sent it.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, eq=False)
class Upload:
    """An image as it was sent.

    Attributes:
        name: to tell it from others in an error.
        content: of a file, or (H, W, 3) uint8 RGB.
    """

    name: str
    content: bytes | NDArray[np.uint8]

    def picture(self, max_pixels: int) -> Picture:
        """Its pixels, as `Detector` has them of the same bytes.

        Raises:
            Refused: it has more pixels than that, which its header tells before it is decoded.
            UserError: it cannot be read.
        """
        if isinstance(self.content, np.ndarray):
            height, width = self.content.shape[:2]
        else:
            height, width = encoded_size(self.content, self.name)
        if height * width > max_pixels:
            raise Refused(413, f"the image {self.name} has {width} x {height} pixels; at most {max_pixels} are taken")
        if isinstance(self.content, np.ndarray):
            return read_picture(self.content, max_pixels)
        return Picture(decode_image(self.content, self.name, max_pixels, upright=True))


@dataclass(frozen=True, eq=False)
class Asked:
    """A request that has been understood.

    Attributes:
        images: to detect in.
        score_threshold: the least score; None: the server's.
        answer: makes the answer, JSON, of the detections of each image.
    """

    images: Sequence[Upload]
    score_threshold: float | None
    answer: Callable[[Sequence[ImageDetections]], dict[str, Any]]


def shown_name(given: str | None, number: int) -> str:
    """A name from a client, safe to be shown; in its place its number."""
    name = "".join(letter for letter in given or "" if is_writable(letter))[:_LONGEST_NAME]
    return name or str(number)


def whole_number(text: str) -> int | None:
    """The number that a header has; None where it has none, or one that no body is as long as."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def check_count(images: int, max_images: int) -> None:
    """Refuses more images than a request may have, before anything is made of each.

    Raises:
        Refused: saying how many there are.
    """
    if images > max_images:
        raise Refused(413, f"the request has {images} images; at most {max_images} are taken")


def query_threshold(request: Request) -> float | None:
    """What `?score_threshold=` says.

    Raises:
        Refused: it is no number.
    """
    given = request.query_params.get("score_threshold")
    try:
        return None if given is None else float(given)
    except ValueError:
        raise Refused(400, f"score_threshold={given[:40]} is no number") from None  # type: ignore[index]


def limited(request: Request, max_bytes: int) -> Request:
    """The same request, whose body is refused as soon as it is known to have more bytes.

    Raises:
        Refused: it says so itself.
    """
    too_many = Refused(413, f"the request has more than {max_bytes} bytes; send fewer or smaller images")
    if (whole_number(request.headers.get("content-length", "")) or 0) > max_bytes:
        raise too_many
    taken = 0

    async def receive() -> Message:
        nonlocal taken
        message = await request.receive()
        taken += len(message.get("body", b""))
        if taken > max_bytes:
            raise too_many
        return message

    return Request(request.scope, receive)
