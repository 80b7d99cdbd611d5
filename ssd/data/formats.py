"""The formats of image files: told by their content, never by their names, and each decoded by whoever does it right.

Tried on files of some hundred kinds, OpenCV 5 is right for most. It is wrong for an AVIF or a TIFF with alpha and for a
TIFF in Lab colours, where Pillow is right; Pillow is wrong for more than 8 bits, where OpenCV gives the values as they
are, which `ssd.data.depth` makes 8 bits of.
"""

from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from ssd.data.depth import to_eight_bits
from ssd.errors import UserError

_PILLOW = ("AVIF", "GIF", "HEIF", "ICO", "PSD", "PPM", "TGA")  # besides TIFF of 8 bits; PPM where it is text
_FORMATS = [
    "JPEG",
    "PNG",
    "BMP",
    "DIB",
    "WEBP",
    "GIF",
    "JPEG2000",
    "AVIF",
    "PPM",
    "SUN",
    "ICO",
    "PSD",
]  # and TIFF, HEIF, TGA
_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
# OpenCV has no names for RGB at a reduced size: its grey ones hold the bit of the size alone.
_REDUCED = {
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
REDUCTIONS = tuple(_REDUCED)  # by how much `decode` can reduce the sides of a JPEG
_TIFF = (b"II*\0", b"MM\0*", b"II+\0")
_PLAIN_PPM = (b"P1", b"P2", b"P3")  # numbers as text, which OpenCV reads wrongly
_HEIF = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")  # brands of its first box

# Tags of TIFF 6.0, and the compressions that OpenCV's libtiff decodes: of others it makes a black image.
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _ORIENTATION, _SAMPLE_FORMAT = 256, 257, 258, 259, 262, 274, 339
_SUBFILE, _SAMPLES, _PLANAR = 254, 277, 284
_CHANNELS = ((1, 1), (1, 2), (2, 3), (2, 4))  # photometric and samples: grey or RGB, with alpha or not
_COMPRESSIONS = (1, 5, 7, 8, 32773, 32946)  # none, LZW, JPEG, Deflate, PackBits, old Deflate


class Way(Enum):
    """Who decodes a file."""

    opencv = "opencv"
    opencv_raw = "opencv_raw"  # values of more than 8 bits, as they are
    pillow = "pillow"
    none = "none"


@dataclass(frozen=True)
class Header:
    """What an image file says of itself before it is decoded.

    Attributes:
        height, width: of the pixels that `decode` gives.
        way: how they are decoded.
        orientation: EXIF's number, 1 to 8, of how those pixels are to be turned: see `ssd.data.orientation`.
    """

    height: int
    width: int
    way: Way
    orientation: int = 1


def read_header(file: IO[bytes], name: str, exif: bool = False) -> Header:
    """The header of an image file.

    Args:
        file: open at its beginning.
        name: names the image in the error message.
        exif: whether the orientation is asked for; it is 1 otherwise.

    Raises:
        UserError: it is a HEIC, and the package that reads them is not installed.
        Exception: whatever a damaged header makes one of Pillow's readers raise.
    """
    start = file.read(64)
    file.seek(0)
    if start[:4] in _TIFF:
        return _tiff_header(file)
    # Nothing at the beginning of a TGA says what it is: there the name does.
    formats = ["TGA"] if name.lower().endswith(".tga") else _FORMATS
    with Image.open(file, formats=_heif(name) if _is_heif(start) else formats) as image:
        # not PNG's own getexif, which decodes all of the image first
        orientation = Image.Image.getexif(image).get(_ORIENTATION, 1) if exif else 1
        way = Way.pillow if image.format in _PILLOW else Way.opencv
        if (image.format == "PPM" and start[:2] not in _PLAIN_PPM) or (image.format == "PNG" and start[24] == 16):
            way = Way.opencv_raw
        return Header(image.height, image.width, way, orientation if orientation in range(1, 9) else 1)


def _tiff_header(file: IO[bytes]) -> Header:
    """Of the first picture in a TIFF; from its tags, as Pillow refuses those whose values it has no mode for.

    OpenCV and Pillow both turn a TIFF by its tag: its pixels are upright.
    """
    start = file.read(8)
    tags = ImageFileDirectory_v2(start + file.read(8) if start[2] == 43 else start)
    file.seek(tags.next)
    tags.load(file)
    size = int(tags[_HEIGHT]), int(tags[_WIDTH])
    height, width = size[::-1] if tags.get(_ORIENTATION, 1) in (5, 6, 7, 8) else size
    if min(size) < 1 or tags.get(_SUBFILE, 0) & 1:  # raw files of cameras begin with a small picture
        return Header(height, width, Way.none)
    if max(_numbers(tags, _BITS)) <= 8 and set(_numbers(tags, _SAMPLE_FORMAT)) == {1}:
        return Header(height, width, Way.pillow)
    samples = tags.get(_SAMPLES, 1)
    readable = (tags.get(_PHOTOMETRIC), samples) in _CHANNELS and (samples == 1 or tags.get(_PLANAR, 1) == 1)
    decodes = readable and tags.get(_COMPRESSION, 1) in _COMPRESSIONS
    return Header(height, width, Way.opencv_raw if decodes else Way.none)


def _numbers(tags: ImageFileDirectory_v2, tag: int) -> tuple[int, ...]:
    value = tags.get(tag, 1)
    return value if isinstance(value, tuple) else (value,)


def _is_heif(start: bytes) -> bool:
    """AVIF has the same container, and may begin with a brand that both have."""
    return start[4:8] == b"ftyp" and start[8:12] in _HEIF and b"avif" not in start and b"avis" not in start


def _heif(name: str) -> list[str]:
    """Makes Pillow read HEIC."""
    try:
        import pillow_heif
    except ImportError:
        raise UserError(
            f"The image {name} is a HEIC, for which a package is missing: pip install pillow-heif, or save it as JPEG."
        ) from None
    pillow_heif.register_heif_opener()
    return ["HEIF"]


def decode(data: bytes, header: Header, reduction: int = 1) -> NDArray[np.uint8] | None:
    """(height, width, 3) uint8 RGB of a file's content, not turned; None where it cannot be decoded.

    Of several pictures in a file the first; an alpha channel is dropped, not blended.

    Args:
        data: the content of the image file.
        header: what `read_header` says of it.
        reduction: one of `REDUCTIONS`; only of a JPEG another than 1.

    Raises:
        ValueError: its values have no brightness: `to_eight_bits`.
    """
    if header.way is Way.none:
        return None
    if header.way is Way.pillow:
        return _by_pillow(data)
    flags = cv2.IMREAD_UNCHANGED if header.way is Way.opencv_raw else _STORED | _REDUCED[reduction]
    try:
        image: Any = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return image if image is None or header.way is Way.opencv else _eight_bits_rgb(image)


def _by_pillow(data: bytes) -> NDArray[np.uint8] | None:
    formats = [kind for kind in ("TIFF", *_PILLOW) if kind != "HEIF" or kind in Image.OPEN]
    try:
        with Image.open(BytesIO(data), formats=formats) as image:
            if image.mode.startswith("I"):  # a PGM of more than 8 bits
                return _eight_bits_rgb(np.asarray(image))
            straight = image.convert("RGBA") if image.mode == "RGBa" else image
            return np.asarray(straight.convert("RGB"))
    except Exception:  # of dozens of kinds
        return None


def _eight_bits_rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """From grey, grey with alpha, BGR or BGRA."""
    if image.ndim == 3 and image.shape[2] >= 3:
        return np.ascontiguousarray(to_eight_bits(image[..., 2::-1]))
    return np.repeat(to_eight_bits(image.reshape(*image.shape[:2], -1)[..., :1]), 3, axis=2)
