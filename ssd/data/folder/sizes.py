"""The sizes of the images of a folder, as their headers say."""

import logging
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ssd.cores import available_cores
from ssd.data.folder.choice import Choice
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found, Picture
from ssd.data.images import encoded_size, image_size
from ssd.data.orientation import annotated_size
from ssd.data.problems import Problems
from ssd.errors import UserError

log = logging.getLogger(__name__)


def sizes_of(listing: Listing, found: Found, rows: Collection[int], problems: Problems) -> dict[int, tuple[int, int]]:
    """Height and width of images by their rows, as their headers say; of those that can be read."""

    def size(row: int) -> tuple[int, int] | UserError:
        picture = found.pictures[row]
        path = listing.path(picture.place)
        try:
            if found.read is not None:
                return encoded_size(found.read(row), picture.place)
            return annotated_size(path, image_size(path), picture.stated)
        except UserError as error:
            return error

    sizes: dict[int, tuple[int, int]] = {}
    with ThreadPoolExecutor(available_cores()) as pool:
        for row, result in zip(rows, pool.map(size, rows), strict=True):
            if isinstance(result, UserError):
                problems.leave_out("image-unreadable", result, listing.path(found.pictures[row].place))
            else:
                sizes[row] = result
    return sizes


def with_sizes(choice: Choice, sizes: Mapping[int, tuple[int, int]], path: str) -> Choice:
    """Without the images whose headers cannot be read."""
    train = [row for row in choice.train if row in sizes]
    val = None if choice.val is None else [row for row in choice.val if row in sizes]
    if not train or val == []:
        raise UserError(f"dataset.path={path}: no image of a split can be read; copy the images again.")
    return replace(choice, train=train, val=val)


def warn_about_sizes(
    pictures: Sequence[Picture], sizes: Sequence[tuple[int, int]], name: str, problems: Problems
) -> None:
    """A stated size that differs from the image's may mean that the images were resized and their boxes were not."""
    pairs = zip(pictures, sizes, strict=True)
    wrong = [i for i, (picture, size) in enumerate(pairs) if all(picture.stated) and picture.stated != size]
    for i in wrong:
        said, true = (f"{width} x {height}" for height, width in (pictures[i].stated, sizes[i]))
        text = f"{pictures[i].source} says that {pictures[i].place} has {said} pixels, and it has {true}."
        problems.mention("size-mismatch", text, pictures[i].place)
    if wrong:
        first = wrong[0]
        log.warning(
            "%s: %d annotations state another size than their image has; the image decides. The first is of %s: height "
            "and width %s, image %s.",
            *(name, len(wrong), pictures[first].place, pictures[first].stated, sizes[first]),
        )
