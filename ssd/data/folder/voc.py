"""Pascal VOC XML wherever it lies: the devkit, `annotations/` and `images/`, beside the images as of labelImg."""

import re
from collections.abc import Collection, Iterator, Sequence

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images, split_of
from ssd.data.folder.records import Found, Item, Notes, Picture
from ssd.data.folder.text_files import read_text
from ssd.data.readers.voc_xml import parse_voc_xml

NAME = "Pascal VOC XML"

_ROOT = re.compile(rb"<annotation[\s>]")
# Lists of images, where several are there those of the first kind: VOC's, of other frameworks, beside the images.
_LISTS = (
    re.compile(r"(?i)(?P<home>(.*/)?)ImageSets/Main/(?P<name>[^/]+)\.txt$"),
    re.compile(r"(?i)(?P<home>(.*/)?)ImageSets/(?P<name>[^/]+)\.txt$"),
    re.compile(r"(?i)(?P<home>)(.*/)?(?P<name>train|val|valid|validation|test|trainval)\.txt$"),
)
_USUAL = {"train": "train", "val": "val", "valid": "val", "validation": "val", "trainval": "trainval", "test": "test"}
_SUFFIX = re.compile(r"(?i)\.(jpe?g|png|bmp|xml)$")


def find(listing: Listing) -> list[str]:
    """The XML files that hold one image's objects."""
    return [file for file in listing.ending(".xml") if _ROOT.search(listing.head(file))]


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """Every XML file with its image; splits by `ImageSets/Main`, by folders or by lists such as `train.txt`.

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
    kinds = [[found for file in listing.files if (found := pattern.match(file))] for pattern in _LISTS]
    lists = kinds[0] or kinds[1]
    splits = _listed(listing, lists, rows, notes) if lists else by_folder(list(pictures.values()))
    if not splits and not lists and kinds[2]:
        lists, splits = kinds[2], _listed(listing, kinds[2], rows, notes)
    what = f"{NAME} ({_place_of(lists[0])})" if lists and splits else NAME
    return Found(what, list(pictures.values()), splits)


def by_folder(pictures: Sequence[Picture]) -> dict[str, list[int]]:
    """Splits by the folders of images, else of their annotations."""
    splits: dict[str, list[int]] = {}
    for row, picture in enumerate(pictures):
        split = split_of(picture.place) or split_of(picture.source, is_annotation=True)
        if split is not None:
            splits.setdefault(split, []).append(row)
    return splits


def _listed(
    listing: Listing, lists: Sequence[re.Match[str]], rows: dict[str, int], notes: Notes
) -> dict[str, list[int]]:
    """The lists of one kind, of several years together."""
    split_names = _splits_of({found["name"] for found in lists})
    splits: dict[str, list[int]] = {}
    by_stem: dict[str, dict[str, int]] = {}
    for found in lists:
        if (split := split_names.get(found["name"])) is None:
            continue
        home = found["home"]
        if home not in by_stem:
            by_stem[home] = {xml.rpartition("/")[2][:-4]: row for xml, row in rows.items() if xml.startswith(home)}
        known = by_stem[home]
        for line in filter(str.strip, read_text(listing.path(found[0])).splitlines()):
            if (stem := next((name for name in _stems(line) if name in known), None)) is not None:
                splits.setdefault(split, []).append(known[stem])
            elif not line.startswith("#"):
                where = f"{line.strip()[:80]} in {found['name']}.txt"
                notes.add(f"lines in {_place_of(found)} name no annotated image", where)
    return {name: list(dict.fromkeys(listed)) for name, listed in splits.items()}


def _splits_of(names: Collection[str]) -> dict[str, str]:
    """List → split; those of a class (`cat_train`) are left out beside `train`, and stand for it where none is."""
    plain = [name for name in sorted(names) if not any(name.endswith(f"_{other}") for other in names)]
    if any(name.lower() in _USUAL for name in plain):
        return {name: _USUAL.get(name.lower(), name) for name in plain}
    return {name: _USUAL.get(name.rpartition("_")[2].lower(), name) for name in plain}


def _stems(line: str) -> Iterator[str]:
    """What a line may call an image: a name, which may have spaces, a path, with or without columns after it."""
    name = line.strip()
    while name:
        last = re.split(r"[\\/]", name)[-1]
        yield from (name, last, _SUFFIX.sub("", last))
        name = name.rpartition(" ")[0].rstrip() if " " in name else ""


def _place_of(found: re.Match[str]) -> str:
    """The folder of a list, for people, or the list itself where it is in one of anything."""
    return found[0][len(found["home"]) :].rpartition("/")[0] if "imagesets/" in found[0].lower() else found[0]
