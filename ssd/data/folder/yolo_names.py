"""What says the classes and splits of YOLO labels: a YAML with `names`, darknet's `obj.data`, a list of names."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ssd.data.folder.listing import Listing
from ssd.data.folder.places import split_of
from ssd.data.folder.text_files import read_text
from ssd.data.readers.names import check_class_names
from ssd.errors import UserError, kind_of

_LISTS = re.compile(r"(?i)(^|.*/)(classes\.txt|predefined_classes\.txt|[^/]*\.names|_darknet\.labels|labels\.txt)$")
_NAMES = re.compile(rb"(^|[\s{,])[\"']?names[\"']?\s*[:=]")  # other YAMLs are nobody's business here
_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


@dataclass(frozen=True)
class Description:
    """What a folder's files say of its labels.

    Attributes:
        file: that says so, for people; "" where none does.
        class_names: by number; None where nothing says them.
        splits: train, val and test → places of folders, or of texts with a list of images.
        has_keypoints: whether a label's numbers after the fifth are points of a pose.
        missing: what it says and is not there.
    """

    file: str = ""
    class_names: list[str] | None = None
    splits: Mapping[str, list[str]] = field(default_factory=dict)
    has_keypoints: bool = False
    missing: Sequence[str] = ()


def describe(listing: Listing) -> Description:
    """The one description of a folder.

    Raises:
        UserError: it is not readable, or there are several that differ.
    """
    naming = [file for file in listing.ending(*_READERS) if _NAMES.search(listing.head(file, 1 << 16))]
    found = [_READERS[file[file.rindex(".") :].lower()](listing, file) for file in naming]
    described = [item for item in found if item is not None]
    if not described:
        described = [_from_list(listing, file) for file in listing.files if _LISTS.match(file)]
    if not described:
        return Description()
    first = min(described, key=lambda item: (item.file.count("/"), item.file))
    for other in described:
        if other.class_names != first.class_names:
            raise UserError(
                f"{listing.path(first.file)} and {listing.path(other.file)} name other classes: keep the one that the "
                "labels were made with, or give it as dataset.path."
            )
    return first


def _from_yaml(listing: Listing, file: str) -> Description | None:
    path = listing.path(file)
    try:
        content = yaml.load(read_text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(
            f"The file {path} is not readable YAML ({' '.join(str(error).split())[:200]}): correct it."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("names"), list | dict):
        return None
    names = content["names"]
    if isinstance(names, dict):
        numbers = [int(key) if str(key).isdecimal() else -1 for key in names]
        if sorted(numbers) != list(range(len(numbers))):
            raise UserError(
                f"{path} numbers its names {', '.join(map(str, list(names)[:5]))}: they must be 0, 1, 2, ..."
            )
        names = [name for _, name in sorted(zip(numbers, names.values(), strict=True), key=lambda pair: pair[0])]
    base = f"{content['path']}/" if isinstance(content.get("path"), str) else ""
    said = [(_KEYS[key], f"{base}{entry}") for key in content if key in _KEYS for entry in _entries(content[key])]
    splits, missing = _splits(listing, file, said)
    return Description(file, _checked(names, path), splits, "kpt_shape" in content, missing)


def _splits(listing: Listing, file: str, said: Sequence[tuple[str, str]]) -> tuple[dict[str, list[str]], list[str]]:
    """The places that are meant, by split, and the entries that are not there."""
    splits: dict[str, list[str]] = {}
    missing: list[str] = []
    for split, entry in said:
        place = _place(listing, file, entry)
        if place is None:
            missing.append(f"{split}: {entry}"[:200])
        else:
            splits.setdefault(split, []).append(place)
    return splits, missing


def _entries(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if entry and isinstance(entry, str)]


def _place(listing: Listing, file: str, entry: str) -> str | None:
    """The folder or text that an entry means: the longest end of its path that is there, beside its file or anywhere.

    Paths in such files are of the machine they were written on, or relative to where some tool ran.
    """
    parts = [part for part in re.split(r"[\\/]+", entry) if part not in ("", ".", "..")]
    home, split = file.rpartition("/")[0], split_of("/".join(parts), is_annotation=True)
    for start in range(len(parts)):
        end = "/".join(parts[start:])
        if split_of(end, is_annotation=True) != split:
            break  # valid/images is not images
        for place in dict.fromkeys((f"{home}/{end}" if home else end, end)):
            if listing.path(place).is_dir() and any(name.startswith(f"{place}/") for name in listing.files):
                return f"{place}/"
            if place in listing.files:
                return place
    return "" if not parts else None  # the folder itself


def _from_data(listing: Listing, file: str) -> Description:
    """Darknet's: `names = data/obj.names`, `train = data/train.txt`, `valid = …`."""
    lines = [line.partition("=") for line in read_text(listing.path(file)).splitlines()]
    values = {key.strip().lower(): value.strip() for key, equals, value in lines if equals}
    place = _place(listing, file, values.get("names", ""))
    names = _from_list(listing, place).class_names if place and not place.endswith("/") else None
    splits, missing = _splits(listing, file, [(_KEYS[key], values[key]) for key in values if key in _KEYS])
    return Description(file, names, splits, missing=missing)


def _from_list(listing: Listing, file: str) -> Description:
    names = [line.strip() for line in read_text(listing.path(file)).splitlines() if line.strip()]
    return Description(file, _checked(names, listing.path(file)))


def _checked(names: Sequence[Any], path: Path) -> list[str]:
    texts = [str(name) if isinstance(name, int | float) and not isinstance(name, bool) else name for name in names]
    if nested := [name for name in texts if isinstance(name, list | dict)]:  # perhaps a bomb of aliases: not shown
        raise UserError(f"{path} has {kind_of(nested[0])} among its names: each must be a text.")
    check_class_names(texts, str(path))
    if twice := [name for name in texts if texts.count(name) > 1]:
        raise UserError(f"{path} names the class {twice[0]} twice: each number needs a name of its own.")
    return texts


_READERS: Mapping[str, Callable[[Listing, str], Description | None]] = {
    ".yaml": _from_yaml,
    ".yml": _from_yaml,
    ".data": _from_data,
}
