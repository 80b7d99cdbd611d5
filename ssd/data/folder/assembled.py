"""From pictures with their objects to a data set: boxes in pixels, checked, with the words that messages need."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Found
from ssd.data.folder.sizes import warn_about_sizes
from ssd.data.problems import Problems
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.rows import of_rows
from ssd.data.sample import Dataset


def assembled(
    listing: Listing,
    found: Found,
    read: Callable[[int], bytes],
    rows: Sequence[int],
    all_sizes: Mapping[int, tuple[int, int]],
    names: tuple[str, ...],
    name: str,
    problems: Problems,
) -> Dataset:
    """The data set of some pictures.

    Args:
        listing: of the folder.
        found: what was read.
        read: gives the encoded image of a row of it.
        rows: of the pictures.
        all_sizes: row → height and width.
        names: of the classes, in label order.
        name: of the data set.
        problems: takes boxes that cannot be used.

    Raises:
        UserError: there is one, and `problems` does not skip.
    """
    pictures = [found.pictures[row] for row in rows]
    sizes = [all_sizes[row] for row in rows]
    warn_about_sizes(pictures, sizes, name, problems)
    labels = {class_name: label for label, class_name in enumerate(names)}
    objects, where, empty = Objects(), [], []
    for row, (picture, (height, width)) in enumerate(zip(pictures, sizes, strict=True)):
        scale = (height, width) if picture.fractions else (1, 1)
        for number, item in enumerate(picture.items):
            ymin, xmin, ymax, xmax = item.box
            if ymin == ymax or xmin == xmax:
                empty.append(text := f"{item.where} of {picture.source}")
                text = f"The box of {text} has no width or height."
                problems.mention("box-empty", text, listing.path(picture.source), item.where, left_out=True)
                continue
            box = ymin * scale[0], xmin * scale[1], ymax * scale[0], xmax * scale[1]
            objects.add(row, box, labels[item.name], item.difficult, item.crowd, item.area)
            where.append((row, number))

    def describe(i: int) -> str:
        row, number = where[i]
        item = pictures[row].items[number]
        return f"{item.where} ({item.name}) in {listing.path(pictures[row].source)}"

    def place(i: int) -> tuple[Path, str]:
        row, number = where[i]
        return listing.path(pictures[row].source), pictures[row].items[number].where

    warn_of_empty(name, "", empty)
    places = [picture.place for picture in pictures]
    annotations = build_annotations(places, sizes, objects, describe, name, problems, place)
    return Dataset(name, names, annotations, of_rows(read, rows))
