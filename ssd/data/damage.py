"""Damaged data in images that decode all the same: the decoders only write of it, past Python and without a name."""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ssd.data.images import ImageFiles, decode_image
from ssd.data.sample import Dataset
from ssd.native_output import Overheard, overheard

log = logging.getLogger(__name__)

T = TypeVar("T")

# libjpeg's warnings of damaged data (jerror.h), libpng's, and OpenCV's of libtiff; others tell of harmless profiles.
_TOLD = re.compile(
    rb"Corrupt JPEG data|Premature end of JPEG|Inconsistent progression|Invalid SOS param"
    rb"|CRC error|Too much image data|Extra compressed data|TIFF_Error"
)
_NAMED = 5


def decode_files(paths: Sequence[Path], max_pixels: int) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The images of some files, upright, and the names of those that are damaged inside.

    Raises:
        UserError: one cannot be read or decoded.
    """
    read = ImageFiles(paths)
    with overheard() as output:
        decoded = [
            listening_to(output, partial(decode_image, read(index), str(path), max_pixels, upright=True))
            for index, path in enumerate(paths)
        ]
    images = [image for image, _ in decoded]
    return images, [str(path) for path, (_, is_damaged) in zip(paths, decoded, strict=True) if is_damaged]


def warn_of_damage(images: Iterable[tuple[Dataset, int]]) -> None:
    """Says in one warning which of the suspects are damaged."""
    say_damaged([dataset.where(index) for dataset, index in damaged_of(images)])


def damaged_of(images: Iterable[tuple[Dataset, int]]) -> list[tuple[Dataset, int]]:
    """Those of the suspects that are damaged: they are decoded once more, one after the other."""
    with overheard() as output:
        return [
            (dataset, index)
            for dataset, index in images
            if listening_to(output, partial(dataset.__getitem__, index))[1]
        ]


def listening_to(output: Overheard, decode: Callable[[], T]) -> tuple[T, bool]:
    """What `decode` gives, and whether its decoder told of damage. Nothing else may decode at the same time."""
    before = output.size()
    result = decode()
    return result, output.size() > before and _TOLD.search(output.since(before)) is not None


def say_damaged(names: Sequence[str]) -> None:
    """The warning, where there is something to say."""
    if names:
        shown = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        images, they = ("image has", "it was") if len(names) == 1 else ("images have", "they were")
        log.warning(
            "%d %s damaged data inside; %s decoded as far as possible: %s; replace %s by a sound copy.",
            *(len(names), images, they, shown, "it" if len(names) == 1 else "them"),
        )
