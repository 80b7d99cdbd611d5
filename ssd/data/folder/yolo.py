"""YOLO text: a line an object, its class by number and its box, polygon or oriented box in fractions of the image."""

import re
from collections.abc import Mapping, Sequence

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images, split_of
from ssd.data.folder.records import Found, Item, Notes, Picture
from ssd.data.folder.rle import Box, polygon_box
from ssd.data.folder.text_files import read_text
from ssd.data.folder.yolo_names import Description, describe
from ssd.errors import UserError

NAME = "YOLO text"

_NO_LABELS = re.compile(r"(?i)(^|.*/)(classes|predefined_classes|labels|readme[^/]*|requirements)\.txt$")
_ROW = re.compile(rb"\s*\d+(\.0*)?(\s+[-+.\deE]+){4,}\s*?(\r|\n|$)")
_LISTS = re.compile(r"(?i)(^|.*/)(train|val|valid|validation|test)\.txt$")
_SPLITS = {"valid": "val", "validation": "val"}
_MOST_OF_A_LIST = 200_000_000  # bytes
_LARGEST = 2.0  # a fraction beyond that is a number of pixels


def find(listing: Listing) -> list[str]:
    """The texts that are an image's and hold labels; where one of them does, the empty ones too."""
    images = Images(listing.images)
    texts = [file for file in listing.ending(".txt") if not _NO_LABELS.match(file)]
    found, empty = [], []
    for file in texts:
        head = listing.head(file, 512)
        if _ROW.match(head) and images.of_label(file) is not None:
            found.append(file)
        elif not head.strip() and images.of_label(file) is not None:
            empty.append(file)
    if not found and not empty:  # labels whose images have other names are still labels
        return [file for file in texts if _ROW.match(listing.head(file, 512)) and "label" in file.lower()]
    return sorted(found + empty) if found or describe(listing).file else []


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """All images: one without labels is background.

    Raises:
        UserError: a line of labels, or the file that names the classes, is wrong.
    """
    known = describe(listing)
    images = Images(listing.images)
    pictures = {image: Picture(image, "", fractions=True) for image in listing.images}
    unread: set[str] = set()
    for file in [text for text in listing.ending(".txt") if not _NO_LABELS.match(text)]:
        if (place := images.of_label(file)) is None:
            if _ROW.match(listing.head(file, 512)):
                notes.add("files of labels have no image, and are left out", file)
        elif pictures[place].source:
            notes.add("files of labels are of an image that another one is of, and are left out", file)
        else:
            pictures[place].source = file
            unread.add(place)  # and no background, until it is read
            with notes.problems.trying("annotation-unreadable", listing.path(file)):
                pictures[place].items = _items(listing, file, known, notes)
                unread.remove(place)
    for place in unread:
        del pictures[place]
    labelled = {_stem(place) for place, picture in pictures.items() if picture.source}
    for place in [place for place, picture in pictures.items() if not picture.source and _stem(place) in labelled]:
        notes.add("images have the name of another one, which has the labels, and are left out", place)
        del pictures[place]
    for picture in pictures.values():
        if not picture.source:
            notes.add("images have no file of labels; they are background", picture.place)
    for entry in known.missing:
        notes.add(f"entries of {known.file} are not there", entry)
    splits = _splits(listing, known, images)
    rows = {place: row for row, place in enumerate(pictures)}
    class_names = known.class_names
    if is_numbered := class_names is None:
        notes.add("folder has no names of classes, which are called by their numbers (dataset.class_names=[...])", "")
        most = max((int(item.name) for picture in pictures.values() for item in picture.items), default=-1)
        class_names = [str(number) for number in range(most + 1)]
    return Found(
        f"{NAME} ({known.file.rpartition('/')[2]})" if known.file else NAME,
        list(pictures.values()),
        {name: listed for name, places in splits.items() if (listed := _rows(places, rows))},
        class_names,
        is_numbered=is_numbered,
    )


def _stem(place: str) -> str:
    return place.rpartition(".")[0]


def _rows(places: Sequence[str], rows: Mapping[str, int]) -> list[int]:
    return [rows[place] for place in dict.fromkeys(places) if place in rows]


def _items(listing: Listing, file: str, known: Description, notes: Notes) -> list[Item]:
    items = []
    for number, line in enumerate(read_text(listing.path(file)).splitlines(), start=1):
        if line.strip():
            with notes.problems.trying("object-malformed", listing.path(file), number):
                items.append(_item(listing, file, number, line, known, notes))
    return items


def _item(listing: Listing, file: str, number: int, line: str, known: Description, notes: Notes) -> Item:
    where = f"Line {number} of {listing.path(file)}"
    try:
        label, *numbers = map(float, line.split())
    except ValueError:
        label, numbers = -1.0, []
    if label < 0 or label != int(label) or len(numbers) < 4:
        raise UserError(
            f"{where} is {line.strip()[:60]!r}: it must be the number of a class and four numbers of a box, or the "
            "points of a polygon, with spaces between them."
        )
    if known.class_names is not None and label >= len(known.class_names):
        raise UserError(
            f"{where} has the class {label:.0f}, and {known.file} names only 0 to {len(known.class_names) - 1}: "
            "correct the one or the other."
        )
    if len(numbers) == 5 and not known.has_keypoints:
        notes.add("lines have a sixth number, a score, which is not read", f"line {number} of {file}")
    name = known.class_names[int(label)] if known.class_names is not None else f"{label:.0f}"
    return Item(name, _box(numbers, known.has_keypoints, where), f"line {number}")


def _box(numbers: Sequence[float], has_keypoints: bool, where: str) -> Box:
    """ymin, xmin, ymax, xmax of centre and sides, or around the points of a polygon or an oriented box."""
    shown = numbers[:4] if has_keypoints or len(numbers) == 5 else numbers
    if (largest := max(shown, key=abs)) > _LARGEST or largest < -_LARGEST:
        raise UserError(
            f"{where} has the number {largest:g}: YOLO's are fractions of the image, 0 to 1; divide pixels by its "
            "width and height."
        )
    if len(shown) == 4:
        x, y, width, height = shown
        return y - height / 2, x - width / 2, y + height / 2, x + width / 2
    try:
        return polygon_box(shown)
    except ValueError:
        raise UserError(
            f"{where} has {len(numbers)} numbers after the class: a box has 4, a polygon x and y of three points or "
            "more; correct it."
        ) from None


def _splits(listing: Listing, known: Description, images: Images) -> dict[str, list[str]]:
    """Places of the images of each split: as the description says, else by lists, else by folders."""
    splits = {name: _in_places(listing, places, images) for name, places in known.splits.items()}
    if not splits:
        lists = [file for file in listing.files if _LISTS.match(file)]
        for file in lists:
            name = file.rpartition("/")[2][:-4].lower()
            splits.setdefault(_SPLITS.get(name, name), []).extend(_in_places(listing, [file], images))
    taken = {place for places in splits.values() for place in places}
    for image in listing.images:
        if image not in taken and (split := split_of(image)) is not None:
            splits.setdefault(split, []).append(image)
    return splits


def _in_places(listing: Listing, places: Sequence[str], images: Images) -> list[str]:
    """The images in folders (which end with `/`, or are all) and of lists."""
    found: list[str] = []
    for place in places:
        if place.endswith("/") or not place:
            found += [image for image in listing.images if image.startswith(place)]
        else:
            lines = read_text(listing.path(place), _MOST_OF_A_LIST).splitlines()
            found += [image for line in lines if line.strip() and (image := images.named(line, "")) is not None]
    return found
