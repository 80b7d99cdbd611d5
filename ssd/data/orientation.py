"""EXIF's orientation: how the pixels of a file are to be turned so that the picture is upright.

Prediction turns every picture upright. Training needs the pixels that the boxes were drawn on. Tools differ: some draw
on the stored pixels, others, like all browsers, on the upright picture. Where height and width change places between
the two, the size that an annotation states tells which it was. It cannot tell for a square picture, one that is turned
by half a turn or one that is mirrored: those stay as stored.
"""

from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from ssd.data.formats import read_header

Size = tuple[int, int]  # height, width


class MadeOn(Enum):
    """The pixels that an annotation was made on."""

    stored = "stored"
    upright = "upright"
    either = "either"  # the size does not tell: they are taken for the stored ones


def turned(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """An image (H, W, 3) as EXIF's orientation says (Exif 2.32, 4.6.4 A): 6 is a quarter to the right, 8 to the left.

    Args:
        image: the stored pixels.
        orientation: 1 to 8.
    """
    if orientation >= 5:  # rows are columns
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def turned_to(image: NDArray[np.uint8], data: bytes, size: Size) -> NDArray[np.uint8]:
    """The image upright, where only that has the annotated `size`; else as it is.

    Args:
        image: the stored pixels, at any scale.
        data: the content of the image file.
        size: height and width that the annotation has at that scale.
    """
    if image.shape[:2] == size or image.shape[1::-1] != size:
        return image
    orientation = exif_orientation(BytesIO(data))
    return turned(image, orientation) if orientation >= 5 else image


def annotated_size(path: Path, stored: Size, stated: Size) -> Size:
    """Size of the picture that an annotation was made on.

    Args:
        path: the image file.
        stored: its height and width.
        stated: what the annotation says they are; zeros where it does not.
    """
    turn = stored != stated == stored[::-1]
    if not turn:
        return stored
    with path.open("rb") as file:
        return stated if exif_orientation(file) >= 5 else stored


def fits(stored: Size, orientation: int, annotated: Size) -> bool:
    """Whether an annotation of that size is of an image's pixels, as they are stored or, turned by EXIF, upright."""
    return annotated == stored or (orientation >= 5 and annotated == stored[::-1])


def made_on(stored: Size, orientation: int, annotated: Size) -> MadeOn | None:
    """What an annotation was made on; None for an image that is not to be turned.

    Args:
        stored: height and width of the image file.
        orientation: EXIF's, 1 to 8.
        annotated: height and width of the annotation, as it was read (`Annotation.height`, `Annotation.width`).
    """
    if orientation == 1:
        return None
    if orientation < 5 or stored[0] == stored[1]:
        return MadeOn.either
    return MadeOn.upright if annotated == stored[::-1] else MadeOn.stored


def exif_orientation(file: IO[bytes]) -> int:
    """1 to 8, of an image file that is open at its beginning and whose header is sound."""
    return read_header(file, "", exif=True).orientation
