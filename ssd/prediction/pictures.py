"""From whatever is an image to its upright pixels."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ssd.data.images import MAX_PIXELS, ImageFiles, decode_image
from ssd.errors import UserError, kind_of

ImageLike: TypeAlias = str | os.PathLike[str] | bytes | bytearray | memoryview | NDArray[Any] | Image.Image

_EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")


@dataclass(frozen=True, eq=False)
class Picture:
    """An image to detect in.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        path: the file or address that it comes from; None where it was given as pixels or bytes.
    """

    image: NDArray[np.uint8]
    path: str | None = None


def read_picture(given: Any, max_pixels: int = MAX_PIXELS) -> Picture:
    """The pixels of an image in any form.

    A file, an address (http, https), the bytes of a file and an image of Pillow are turned as their EXIF says; arrays
    are taken as upright. A grey image gets three equal channels, an alpha channel is dropped.

    Args:
        given: see `ImageLike`; arrays are uint8, (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.
        max_pixels: at most, height times width; refused before anything is decoded.

    Raises:
        UserError: it is no image, cannot be read or is too large.
    """
    if isinstance(given, str | os.PathLike):
        name = os.fspath(given)
        return Picture(decode_image(read_encoded(name), name, max_pixels, upright=True), name)
    if isinstance(given, bytes | bytearray | memoryview):
        return Picture(decode_image(bytes(given), f"of {len(given)} bytes", max_pixels, upright=True))
    if isinstance(given, Image.Image):
        return Picture(_of_pillow(given, max_pixels))
    if isinstance(given, np.ndarray):
        return Picture(_of_array(given, max_pixels))
    raise UserError(
        f"{kind_of(given)} is no image; give a path, an address, the bytes of a file, a uint8 array (H, W, 3) in RGB, "
        "an image of Pillow, or a list of these"
    )


def is_address(text: str) -> bool:
    """Whether it is one of HTTP."""
    return text.lower().startswith(("http://", "https://"))


def read_encoded(name: str) -> bytes:
    """The content of an image file, by its path or address.

    Raises:
        UserError: there is no such file, or it cannot be read.
    """
    if is_address(name):
        from ssd.prediction.download import download  # requests, which files do not need

        return download(name)
    path = Path(name)
    if path.is_dir():
        raise UserError(
            f"{path} is a folder, not an image; give its images, such as sorted(Path({str(path)!r}).glob('*.jpg'))"
        )
    return ImageFiles([path.expanduser()])(0)


def _of_pillow(image: Image.Image, max_pixels: int) -> NDArray[np.uint8]:
    _check_pixels(image.height, image.width, max_pixels)
    if image.mode not in _EIGHT_BITS:
        raise UserError(f"the image of Pillow has mode {image.mode}, not 8 bits: give its file, or convert it to RGB")
    return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def _of_array(array: NDArray[Any], max_pixels: int) -> NDArray[np.uint8]:
    if array.dtype != np.uint8:
        raise UserError(f"the image is an array of {array.dtype}; give uint8 values from 0 to 255, RGB")
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in (1, 3, 4) or not array.size:
        raise UserError(f"the image is an array of shape {array.shape}; give (H, W, 3) in RGB")
    _check_pixels(array.shape[0], array.shape[1], max_pixels)
    if array.shape[-1] == 1:
        return np.repeat(array, 3, axis=-1)
    return np.ascontiguousarray(array[..., :3])


def _check_pixels(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise UserError(
            f"the image has {width} x {height} pixels, more than the {max_pixels} allowed: cut it into smaller ones, "
            "or raise max_pixels"
        )
