"""Images of sources, decoded one after the other; what cannot be read is told and passed over."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd import interrupts
from ssd.data.damage import listening_to
from ssd.data.images import decode_image, orientation
from ssd.errors import UserError, is_writable
from ssd.native_output import Overheard
from ssd.prediction.pictures import read_encoded
from ssd.prediction.sources import Kind, Source


class Failure(NamedTuple):
    """A source that could not be used, and why, in a sentence."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Shown:
    """An image, or a frame of a video.

    Attributes:
        name: of its source.
        place: where under the results what is made of it goes.
        image: (H, W, 3) uint8 RGB, upright.
        data: the content of its file, where that has its pixels upright; else None.
        frame: its number in the video, from 0; None for an image.
        is_damaged: whether its decoder told of damaged data.
    """

    name: str
    place: Path
    image: NDArray[np.uint8]
    data: bytes | None = None
    frame: int | None = None
    is_damaged: bool = False


def load_image(source: Source, max_pixels: int, output: Overheard) -> Shown | Failure:
    """Reads and decodes an image; nothing else may decode at the same time, whose damage would be taken for its own."""
    name = source.name
    if not all(map(is_writable, name)):
        return Failure(
            repr(name), f"{name!r} has a name that is not in UTF-8 or has control characters in it: rename it"
        )
    try:
        data = read_encoded(name)
        decode = partial(decode_image, data, name, max_pixels, upright=True)
        image, is_damaged = listening_to(output, decode)
    except UserError as error:
        return Failure(name, str(error))
    is_upright = orientation(data) == 1
    return Shown(name, source.place, image, data if is_upright else None, is_damaged=is_damaged)


def told(items: Iterable[Shown | Failure], failures: list[Failure]) -> Iterator[Shown]:
    """Those that could be read; the others go to `failures`."""
    for item in items:
        if isinstance(item, Failure):
            failures.append(item)
        else:
            yield item


def until_interrupted(sources: Iterable[Source]) -> Iterator[Source]:
    """The sources until a signal asks to stop, within `interrupts.deferred`; addresses as what their server has."""
    for source in sources:
        if interrupts.received:
            return
        yield _resolved(source) if source.kind == Kind.address else source


def _resolved(source: Source) -> Source:
    from ssd.prediction.download import content_type  # requests, which files do not need

    try:
        what = content_type(source.name)
    except UserError:  # said where it is read
        what = ""
    is_stream = what.startswith(("video/", "multipart/")) or "mpegurl" in what
    return replace(source, kind=Kind.stream if is_stream else Kind.image)
