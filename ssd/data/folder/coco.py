"""COCO JSON as many tools export it: one file or one a split, whatever it is called, images where they are found."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import Images, split_of
from ssd.data.folder.records import Found, Item, Notes, Picture, shown
from ssd.data.folder.rle import Box, polygon_box, run_length_box
from ssd.data.readers.coco_fields import Fields
from ssd.data.readers.json_file import read_json
from ssd.data.readers.names import check_class_names
from ssd.errors import UserError

NAME = "COCO JSON"

_KEYS = (b'"images"', b'"annotations"', b'"categories"')
_OTHER_TASKS = re.compile(r"(?i)(^|.*/)(captions|panoptic|stuff|person_keypoints|image_info)[^/]*$")


def find(listing: Listing) -> list[str]:
    """The instances files; those of COCO's other tasks beside them are none."""
    found = [file for file in listing.ending(".json") if _is_coco(listing, file)]
    return [file for file in found if not _OTHER_TASKS.match(file)] or found


def _is_coco(listing: Listing, file: str) -> bool:
    head = listing.head(file, 64).lstrip()
    return head.startswith(b"{") and listing.holds(file, *_KEYS)


def read(listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """All files together; a file's split is told by its name or its folders, else by the folders of its images.

    Classes are the same by their name, whatever their ids; label order is that of the ids in the first file.

    Raises:
        UserError: a file is no instances file, or an entry of it is wrong.
    """
    contents = {file: _content(listing, file) for file in files}
    names_of = {file: _categories(content, Fields(listing.path(file))) for file, content in contents.items()}
    _drop_roots(contents, names_of)
    for file, names in names_of.items():
        if len(set(names.values())) < len(names):
            twice = sorted({name for name in names.values() if list(names.values()).count(name) > 1})
            raise UserError(f"{listing.path(file)} has two categories of the name {twice[0]}: it needs each name once.")
    images = Images(listing.images)
    pictures: dict[str, Picture] = {}
    rows: dict[str, int] = {}
    splits: dict[str, dict[int, None]] = {}
    for file, content in contents.items():
        for picture in _read_file(listing, file, content, names_of[file], images, notes):
            row = rows.setdefault(picture.place, len(rows))
            if (known := pictures.get(picture.place)) is not None:
                there = {(item.name, item.box) for item in known.items}  # a file of all beside those of its splits
                new = [item for item in picture.items if (item.name, item.box) not in there]
                if known.items and new:
                    notes.add("images are listed twice, and have the objects of both", picture.place)
                known.items += new
            pictures.setdefault(picture.place, picture)
            if split := split_of(file, is_annotation=True) or split_of(picture.place):
                splits.setdefault(split, {})[row] = None
    for image in listing.images:
        if image not in pictures:
            notes.add("images are in no list, and are left out", image)
    class_names = list(dict.fromkeys(name for names in names_of.values() for name in names.values()))
    return Found(
        f"{NAME} ({shown(files)})",
        list(pictures.values()),
        {name: list(listed) for name, listed in splits.items()},
        class_names,
    )


def _content(listing: Listing, file: str) -> dict[str, Any]:
    content = read_json(listing.path(file))
    keys = ("images", "annotations", "categories")
    if not isinstance(content, dict) or not all(isinstance(content.get(key), list) for key in keys):
        raise UserError(f"{listing.path(file)} is not a COCO instances file: it needs the lists {', '.join(keys)}.")
    return content


def _categories(content: Mapping[str, Any], fields: Fields) -> dict[int, str]:
    """Id → name, in the order of the ids."""
    names: dict[int, str] = {}
    for category in content["categories"]:
        number, name = fields.whole(category, "id", "category"), fields.value(category, "name", "category")
        name = str(name) if isinstance(name, int | float) and not isinstance(name, bool) else name
        check_class_names([name], str(fields.path))
        if number in names:
            raise UserError(f"{fields.path} has two categories with the id {number}: ids are unique.")
        names[number] = name
    return dict(sorted(names.items()))


def _drop_roots(contents: Mapping[str, dict[str, Any]], names_of: Mapping[str, dict[int, str]]) -> None:
    """Roboflow's category 0 is the project's name: no object has it, and its supercategory is none."""
    roots = [item for content in contents.values() for item in content["categories"] if item["id"] == 0]
    items = [item for content in contents.values() for item in content["annotations"] if isinstance(item, dict)]
    used = any(item.get("category_id") == 0 for item in items)
    if used or any(str(root.get("supercategory", "")).lower() != "none" for root in roots):
        return
    for names in names_of.values():
        if len(names) > 1:
            names.pop(0, None)


def _read_file(
    listing: Listing, file: str, content: dict[str, Any], names: dict[int, str], images: Images, notes: Notes
) -> list[Picture]:
    fields = Fields(listing.path(file))
    pictures: dict[int | str, Picture | None] = {}
    for entry in content["images"]:
        with notes.problems.trying("image-malformed", fields.path):
            number, name = _image_id(fields, entry, "id", "image"), fields.value(entry, "file_name", "image")
            if number in pictures:
                raise UserError(f"{fields.path} has two images with the id {number}, one is {name}: ids are unique.")
            pictures[number] = None  # its objects are left out with it
            size = [fields.side(entry, side) if entry.get(side) else 0 for side in ("height", "width")]
            if (place := images.named(str(name), file)) is None:
                notes.add(f"images of {file} are not there, and are left out", str(name)[:200])
            else:
                pictures[number] = Picture(place, file, stated=(size[0], size[1]))
    for position, item in enumerate(content["annotations"]):
        unnamed = f"at position {position}"
        own = item.get("id", unnamed) if isinstance(item, dict) else unnamed
        with notes.problems.trying("object-malformed", fields.path, own):
            _add_object(item, own, pictures, names, fields)
    fields.say_text(notes.problems)
    return [picture for picture in pictures.values() if picture is not None]


def _add_object(
    item: Any, number: Any, pictures: Mapping[int | str, Picture | None], names: Mapping[int, str], fields: Fields
) -> None:
    image = _image_id(fields, item, "image_id", "annotation")
    category = fields.whole(item, "category_id", "annotation")
    if image not in pictures or category not in names:
        key = "image_id" if image not in pictures else "category_id"
        raise UserError(f"Annotation {number} in {fields.path} has the {key} {item[key]}, which it does not list.")
    if (picture := pictures[image]) is not None:
        box, crowd, area = _box(item, fields, picture.stated[0]), fields.is_crowd(item), fields.area(item)
        picture.items.append(Item(names[category], box, f"annotation {number}", crowd=crowd, area=area))


def _image_id(fields: Fields, item: Any, key: str, what: str) -> int | str:
    """A whole number, or, as some tools have it, a text that is none."""
    value = fields.value(item, key, what)
    return value if isinstance(value, str) and not value.strip().isdecimal() else fields.whole(item, key, what)


def _box(item: dict[str, Any], fields: Fields, height: int) -> Box:
    """ymin, xmin, ymax, xmax in pixels: the bbox, else what is around the mask."""
    if item.get("bbox") or not item.get("segmentation"):
        x, y, width, height_of_box = fields.bbox(item)
        return y, x, y + height_of_box, x + width
    mask = item["segmentation"]
    try:
        if isinstance(mask, dict):
            sides = mask.get("size") or [height]
            return run_length_box(mask["counts"], int(sides[0]))
        return polygon_box([float(number) for polygon in mask for number in polygon])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as error:
        raise UserError(
            f"Annotation {str(item.get('id'))[:40]} in {fields.path} has no bbox, and a segmentation that is neither "
            f"polygons nor run lengths ({error}): add its bbox."
        ) from None
