"""One look at every image of a data set: what cannot be used, and what tells images apart."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

from ssd.console import counting
from ssd.cores import available_cores
from ssd.data.damage import damaged_of
from ssd.data.images import ImageFiles, encoded_size, orientation, thumbnail
from ssd.data.orientation import fits
from ssd.data.remembered import Remembered
from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.native_output import native_output_size, overheard

Place = tuple[int, int]  # of a data set among several, and of an image in it


class Look(NamedTuple):
    """What one look at an image finds.

    Attributes:
        error: the sentence on why it cannot be used; empty where it can.
        damaged: it is decoded although its decoder tells of damaged data.
        size: height and width in pixels, as stored; zeros where they are not known.
        orientation: EXIF's, 1 to 8.
        digest: of the file's content, in hexadecimal.
        thumbnail: its 16 x 16 grey pixels, in hexadecimal; empty where it cannot be decoded.
    """

    error: str = ""
    damaged: bool = False
    size: tuple[int, int] = (0, 0)
    orientation: int = 1
    digest: str = ""
    thumbnail: str = ""


def look_at_images(datasets: Sequence[Dataset], memory: Path | None = None) -> list[list[Look]]:
    """Decodes every image once, in threads; it takes a part of an epoch's time.

    Args:
        datasets: whose images are looked at.
        memory: a file that keeps what was found of sound images until they change; None: all are looked at.

    Returns:
        One look for each image of each data set.
    """
    remembered = Remembered(memory)
    looks = [_known(dataset, remembered) for dataset in datasets]
    new = [(part, i) for part, dataset in enumerate(datasets) for i in range(len(dataset)) if i not in looks[part]]
    suspects: list[Place] = []
    with (
        counting("looking at the images", len(new)) as advance,
        overheard(),
        ThreadPoolExecutor(available_cores()) as pool,
    ):
        found = pool.map(lambda place: _look(datasets[place[0]], place[1]), new)
        for place, (look, suspect) in zip(new, found, strict=True):
            looks[place[0]][place[1]] = look
            suspects += [place] if suspect and not look.error else []
            advance()
    for part, i in _damaged(datasets, suspects):
        looks[part][i] = looks[part][i]._replace(damaged=True)
    remembered.keep(
        {
            path: look
            for part, i in new
            if (path := _file(datasets[part], i)) is not None and not (look := looks[part][i]).error
        }
    )
    return [[found[i] for i in range(len(dataset))] for dataset, found in zip(datasets, looks, strict=True)]


def _known(dataset: Dataset, remembered: Remembered) -> dict[int, Look]:
    """What is remembered of images that still can be used."""
    if not isinstance(dataset.read, ImageFiles):
        return {}
    facts = remembered.of(dataset.read.paths)
    known = {i: _as_look(facts[path]) for i, path in enumerate(dataset.read.paths) if path in facts}
    return {i: look for i, look in known.items() if look is not None and _fits(dataset, i, look)}


def _as_look(facts: Any) -> Look | None:
    """None for what another version of the program has kept."""
    try:
        error, damaged, (height, width), turned, digest, small = facts
    except (TypeError, ValueError):
        return None
    return Look(str(error), bool(damaged), (int(height), int(width)), int(turned), str(digest), str(small))


def _file(dataset: Dataset, index: int) -> Path | None:
    return dataset.read.paths[index] if isinstance(dataset.read, ImageFiles) else None


def _fits(dataset: Dataset, index: int, look: Look) -> bool:
    annotation = dataset.annotations[index]
    size = annotation.height, annotation.width
    return fits(look.size, look.orientation, size) and size[0] * size[1] <= dataset.max_pixels


def _look(dataset: Dataset, index: int) -> tuple[Look, bool]:
    """The look; and whether a decoder wrote something meanwhile, of this image or of another."""
    before = native_output_size()
    size, turned, digest = (0, 0), 1, ""
    try:
        data, name = dataset.read(index), dataset.where(index)
        digest = blake2b(data, digest_size=16).hexdigest()
        turned = orientation(data)
        size = encoded_size(data, name) if data else size
        small = thumbnail(data, name, dataset.max_pixels)
        annotation = dataset.annotations[index]
        if not fits(size, turned, (annotation.height, annotation.width)):
            raise dataset.misfit(index, size)
    except UserError as error:
        return Look(str(error), size=size, orientation=turned, digest=digest), False
    look = Look(size=size, orientation=turned, digest=digest, thumbnail=small.tobytes().hex())
    return look, native_output_size() != before


def _damaged(datasets: Sequence[Dataset], suspects: Sequence[Place]) -> list[Place]:
    damaged = {(id(dataset), i) for dataset, i in damaged_of((datasets[part], i) for part, i in suspects)}
    return [(part, i) for part, i in suspects if (id(datasets[part]), i) in damaged]
