"""Pascal VOC XML wherever it lies: the devkit, `annotations/` and `images/`, beside the images as of labelImg."""

import re
from collections.abc import Sequence

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images, split_of
from ssd.data.folder.records import Found, Item, Notes, Picture
from ssd.data.folder.text_files import read_text
from ssd.data.readers.voc_xml import parse_voc_xml

NAME = "Pascal VOC XML"

_ROOT = re.compile(rb"<annotation[\s>]")
_LIST = re.compile(r"(?i)(^|.*/)ImageSets/Main/[^/]+\.txt$")


def find(listing: Listing) -> list[str]:
    """The XML files that hold one image's objects."""
    return [file for file in listing.ending(".xml") if _ROOT.search(listing.head(file))]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every XML file with its image; splits by `ImageSets/Main`, else by the names of folders.

    Raises:
        UserError: a file is no VOC annotation.
    """
    images = Images(listing.images)
    pictures: dict[str, Picture] = {}
    rows: dict[str, int] = {}  # of the XML files that have an image
    for file in files:
        parsed = None
        with notes.problems.trying("annotation-unreadable", listing.path(file)):
            parsed = parse_voc_xml(listing.path(file), notes.problems)
        if parsed is None:
            continue
        place = images.of_label(file, parsed.filename)
        if place is None:
            notes.add("annotations have no image, and are left out", file)
        elif place in pictures:
            notes.add("annotations are of an image that another one is of, and are left out", file)
        else:
            items = [Item(item.name, item.box, f"object {item.number}", item.difficult) for item in parsed.objects]
            rows[file] = len(pictures)
            pictures[place] = Picture(place, file, items, stated=parsed.size)
    for image in listing.images:
        if image not in pictures:
            notes.add("images have no annotation, and are left out", image)
    lists = [file for file in listing.files if _LIST.match(file)]
    splits = _listed(listing, lists, rows, notes) if lists else by_folder(list(pictures.values()))
    what = f"{NAME} (ImageSets/Main)" if lists and splits else NAME
    return Found(what, list(pictures.values()), splits)


def by_folder(pictures: Sequence[Picture]) -> dict[str, list[int]]:
    """Splits by the folders of images, else of their annotations."""
    splits: dict[str, list[int]] = {}
    for row, picture in enumerate(pictures):
        split = split_of(picture.place) or split_of(picture.source, is_annotation=True)
        if split is not None:
            splits.setdefault(split, []).append(row)
    return splits


def _listed(listing: Listing, lists: Sequence[str], rows: dict[str, int], notes: Notes) -> dict[str, list[int]]:
    """The lists of ImageSets/Main, of several years together; lists of a class (`cat_train.txt`) are none of them."""
    names = {file.rpartition("/")[2][:-4] for file in lists}
    splits: dict[str, list[int]] = {}
    by_stem: dict[str, dict[str, int]] = {}
    for file in lists:
        name = file.rpartition("/")[2][:-4]
        if any(name.endswith(f"_{other}") for other in names):
            continue
        home = file[: -len(f"ImageSets/Main/{name}.txt")]
        if home not in by_stem:
            by_stem[home] = {xml.rpartition("/")[2][:-4]: row for xml, row in rows.items() if xml.startswith(home)}
        known = by_stem[home]
        for line in read_text(listing.path(file)).splitlines():
            # The devkit's lists may have a second column; a name of the user's may have spaces in it.
            stem = line.strip() if line.strip() in known else (line.split() or [""])[0]
            if stem in known:
                splits.setdefault(name, []).append(known[stem])
            elif stem:
                notes.add("lines in ImageSets/Main name no annotated image", f"{line.strip()[:80]} in {name}.txt")
    return {name: list(dict.fromkeys(listed)) for name, listed in splits.items()}
