"""JSON that a client has sent: parsed beside the event loop, images in base64."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from ssd.serving.request import Refused

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

# One at a time: what is parsed takes several times the memory of its text, and Python parses no faster in two threads.
_parser = ThreadPoolExecutor(1, thread_name_prefix="parser")


async def parsed(read: Callable[[bytes], T], body: bytes) -> T:
    """What `read` makes of a body, which other requests need not wait for.

    Raises:
        Refused: whatever `read` refuses.
    """
    return await asyncio.get_running_loop().run_in_executor(_parser, read, body)


def model_of(kind: type[M], body: bytes) -> M:
    """The body as JSON of that kind.

    Raises:
        Refused: it is none, saying where.
    """
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise Refused(400, f"the request cannot be used: {place}: {first['msg']}") from None


def of_base64(text: Any, name: str) -> bytes:
    """The bytes in base64.

    Raises:
        Refused: it is none.
    """
    if not isinstance(text, str):
        raise Refused(400, f"{name} is not text in base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refused(400, f"{name} is not in base64 ({error})") from None


def pixels(data: Any, shape: list[int] | None, name: str) -> NDArray[np.uint8]:
    """Numbers from 0 to 255, nested or in a row, as an array.

    Args:
        data: of JSON.
        shape: of the array; None: as it is nested.
        name: in an error.

    Raises:
        Refused: other values, or another number of them.
    """
    try:
        array = np.asarray(data)
        if array.dtype.kind not in "iu":
            raise ValueError("they are not whole numbers, or of different lengths")
        if array.size and (array.min() < 0 or array.max() > 255):
            raise ValueError("they are not between 0 and 255")
        return array.astype(np.uint8).reshape(array.shape if shape is None else shape)
    except (ValueError, OverflowError) as error:
        raise Refused(400, f"{name} are no pixels: {error}") from None


def check_rgb(array: NDArray[np.uint8], dimensions: tuple[int, ...], name: str) -> None:
    """Refuses what is no image, or no batch of them.

    Args:
        array: uint8.
        dimensions: that it may have.
        name: in an error.

    Raises:
        Refused: saying its shape.
    """
    if array.ndim not in dimensions or array.shape[-1] != 3 or not array.size:
        wanted = " or ".join("[H, W, 3]" if n == 3 else "[N, H, W, 3]" for n in dimensions)
        raise Refused(400, f"{name} has the shape {list(array.shape)}; it must be {wanted}, RGB")
