"""From the bytes of an image file to pixels, and to its size without decoding."""

import stat
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssd.data.formats import Header, decode, read_header
from ssd.data.orientation import turned
from ssd.errors import UserError

_JPEG = b"\xff\xd8\xff"
_SMALL = 16  # pixels of a thumbnail's side

MAX_PIXELS = 100_000_000  # of an image, unless dataset.max_pixels says otherwise: 300 MB decoded
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # the limit here is the one that counts
warnings.filterwarnings("ignore", category=UserWarning, module="PIL")  # of damaged tags: what matters is an error


def decode_image(
    data: bytes, name: str, max_pixels: int = MAX_PIXELS, upright: bool = False, reduction: int = 1
) -> NDArray[np.uint8]:
    """Decodes an encoded image (JPEG, PNG, BMP, WebP, TIFF, GIF, JPEG 2000, AVIF, HEIC, PPM, TGA, ICO, PSD).

    Grey images get three equal channels, an alpha channel is dropped, of several pictures the first is taken, more than
    8 bits become 8 as `ssd.data.depth` says.

    Args:
        data: the content of the image file.
        name: names the image in the error message.
        max_pixels: at most, height times width; its header is asked before anything is decoded.
        upright: turned as its EXIF says; else the stored pixels.
        reduction: one of `REDUCTIONS` (`ssd.data.formats`). A JPEG is then decoded at that part of its sides (rounded
            up), which takes less time than all of it; `reducible` says of which images that can be asked.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        UserError: the data is empty, cut short, not an image or too large. OpenCV 5 gives nothing for a file that ends
            early (OpenCV 4 gave the missing part in grey, without a word).
    """
    if not data:
        raise UserError(f"The image {name} is an empty file: copy it again, or remove it from the data set.")
    header = _header(BytesIO(data), name, exif=upright)
    height, width = header.height, header.width
    if height * width > max_pixels:
        raise UserError(
            f"The image {name} has {width} x {height} pixels, more than the {max_pixels} of dataset.max_pixels: cut it "
            "into smaller ones, or raise that if you trust it."
        )
    try:
        image = decode(data, header, reduction)
    except ValueError as error:
        raise UserError(
            f"The image {name} cannot be shown: {error}, and which of them are black and white is not known; save it "
            "with values from 0 on, as PNG of 8 or 16 bits."
        ) from None
    if image is None:
        raise UserError(
            f"The image {name} cannot be decoded: it is cut short, damaged or of a kind that is not read; copy it "
            "again, save it as JPEG or PNG, or remove it from the data set."
        )
    return turned(image, header.orientation) if header.orientation != 1 else image


def thumbnail(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """(16, 16) uint8 grey of an encoded image, pixels as stored; a JPEG is decoded at an eighth of its size.

    That takes a third of the time, and its data is read to the end all the same: only the pixels are fewer.

    Raises:
        UserError: as `decode_image` does.
    """
    small = reducible(data) and min(encoded_size(data, name)) >= 8 * _SMALL
    image = decode_image(data, name, max_pixels, reduction=8 if small else 1)
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def orientation(data: bytes) -> int:
    """EXIF's orientation of an image, 1 to 8; 1, upright, where none is given or the tag is damaged."""
    try:
        return read_header(BytesIO(data), "", exif=True).orientation
    except Exception:  # of dozens of kinds
        return 1


def reducible(data: bytes) -> bool:
    """Whether an image file's content can be decoded at a reduced size: the transform that JPEG keeps tells it."""
    return data.startswith(_JPEG)


def reduced_size(size: tuple[int, int], reduction: int) -> tuple[int, int]:
    """Height and width of a JPEG of that `size` when its sides are decoded at one part in `reduction`."""
    return -(-size[0] // reduction), -(-size[1] // reduction)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels as the file's header says, without decoding the image.

    Raises:
        UserError: the file is missing, empty or no image.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would be waited for
            raise UserError(f"The image {path} is a folder or a device, not a file: put the image there.")
        with path.open("rb") as file:
            header = _header(file, str(path))
            return header.height, header.width
    except OSError as error:
        raise UserError(f"The image {path} cannot be opened ({error.strerror}): check that it is there.") from None


def encoded_size(data: bytes, name: str) -> tuple[int, int]:
    """`image_size` of an image file's content; `name` names it in the error."""
    header = _header(BytesIO(data), name)
    return header.height, header.width


def _header(file: IO[bytes], name: str, exif: bool = False) -> Header:
    try:
        return read_header(file, name, exif)
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise UserError(
            f"The image {name} has more than {2 * (Image.MAX_IMAGE_PIXELS or 0)} pixels, which are not decoded: cut it "
            "into smaller ones."
        ) from None
    except Exception as error:  # whatever a damaged header makes one of Pillow's dozens of readers raise
        raise UserError(
            f"The image {name} cannot be read ({type(error).__name__}): it is empty, cut short, damaged or not an "
            "image; copy it again, or remove it from the data set."
        ) from None


@dataclass(frozen=True)
class ImageFiles:
    """Reads the encoded image `index` of a list of files: the `read` of a data set kept in a folder."""

    paths: Sequence[Path]

    def __call__(self, index: int) -> bytes:
        """Raises UserError when the file is gone or cannot be read."""
        try:
            return self.paths[index].read_bytes()
        except OSError as error:
            raise UserError(
                f"The image {self.paths[index]} cannot be read ({error.strerror}): put it back, or check its rights."
            ) from None
