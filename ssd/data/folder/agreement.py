"""Several formats in one folder that say the same, as converters leave them: XML, and the CSV that was made of it."""

from collections.abc import Mapping, Sequence

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import folded
from ssd.data.folder.records import Found, Item, Picture
from ssd.data.folder.rle import Box
from ssd.data.images import image_size
from ssd.errors import UserError

_TOLERANCE = 1.01  # pixels: some tools count from 0, others from 1


def agreed(listing: Listing, read: Mapping[str, Found]) -> str:
    """Which of several formats to take, as it makes no difference: the first of those that know splits, else of all.

    They agree if the same images have the same objects, to a pixel, and are in the same splits where there are any.
    Images without objects are not compared: most formats do not name them.

    Args:
        listing: of the folder.
        read: what each format says, those that say most of an object first.

    Raises:
        UserError: they do not agree; says in a few words where.
    """
    (first, one), *others = read.items()
    for other in (found for _, found in others):
        _compare_objects(listing, one, other)
    with_splits = {name: _splits(found) for name, found in read.items() if found.splits}
    if any(splits != next(iter(with_splits.values())) for splits in with_splits.values()):
        raise UserError("their splits are not the same")
    return next(iter(with_splits), first)


def _compare_objects(listing: Listing, one: Found, other: Found) -> None:
    by_name = one.read is not None or other.read is not None
    mine, theirs = (_labelled(found, by_name) for found in (one, other))
    if alone := sorted(mine.keys() ^ theirs.keys()):
        only = one if alone[0] in mine else other
        raise UserError(f"only the {only.what} has objects of {alone[0]}")
    for key, picture in mine.items():
        size = _size(listing, picture, theirs[key])
        if not _same(_in_pixels(picture, size), _in_pixels(theirs[key], size)):
            raise UserError(f"the objects of {key} are not the same")


def _labelled(found: Found, by_name: bool) -> dict[str, Picture]:
    """The pictures that have objects, by their place, or by their name where images lie inside files of records."""
    return {_key(picture, by_name): picture for picture in found.pictures if picture.items}


def _key(picture: Picture, by_name: bool) -> str:
    return folded(picture.place.rpartition("/")[2]) if by_name else picture.place


def _splits(found: Found) -> dict[str, list[str]]:
    """Names of the images with objects of each split."""
    pictures = {name: [found.pictures[row] for row in rows] for name, rows in found.splits.items()}
    return {name: sorted(_key(item, by_name=True) for item in rows if item.items) for name, rows in pictures.items()}


def _size(listing: Listing, one: Picture, other: Picture) -> tuple[int, int]:
    """Height and width; those of the file only where no annotation states them and they are needed."""
    if stated := next((picture.stated for picture in (one, other) if all(picture.stated)), None):
        return stated
    return image_size(listing.path(one.place)) if one.fractions or other.fractions else (1, 1)


def _in_pixels(picture: Picture, size: tuple[int, int]) -> list[tuple[Item, Box]]:
    height, width = size if picture.fractions else (1, 1)
    found = []
    for item in picture.items:
        ymin, xmin, ymax, xmax = item.box
        found.append((item, (ymin * height, xmin * width, ymax * height, xmax * width)))
    return found


def _same(mine: Sequence[tuple[Item, Box]], theirs: Sequence[tuple[Item, Box]]) -> bool:
    """Whether each object has one of its class in its place; mostly they are in the same order."""
    left = list(theirs)
    for item, box in mine:
        for i, (other, place) in enumerate(left):
            if item.name == other.name and all(abs(a - b) <= _TOLERANCE for a, b in zip(box, place, strict=True)):
                del left[i]
                break
        else:
            return False
    return not left
