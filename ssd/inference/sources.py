"""The images that `source=` names."""

from dataclasses import dataclass
from pathlib import Path

from ssd.data.suffixes import IMAGE_SUFFIXES, UNREAD_SUFFIXES, files_ending
from ssd.errors import UserError, is_writable


@dataclass(frozen=True)
class ImageFile:
    """An image to predict, and where under the results its picture goes: the same place as under its source."""

    path: Path
    place: Path


def split_source(source: str, separators: str = ",") -> list[str]:
    """The parts of `A,B`; a path that has a separator in its name may be given alone."""
    parts = [source]
    if not Path(source).exists():
        for separator in separators:
            parts = [piece for part in parts for piece in part.split(separator)]
    return parts


def image_files(source: str) -> list[ImageFile]:
    """Every image that `source` names, and all images in its folders and theirs, sorted by name.

    Raises:
        UserError: a part of it is not there, or a folder holds no image.
    """
    found: dict[Path, ImageFile] = {}
    for part in split_source(source):
        root = Path(part).expanduser()
        if not part or not root.exists():
            raise UserError(f"source={part}: there is no such image or folder; paths are relative to {Path.cwd()}")
        files = [root] if root.is_file() else files_ending(root, IMAGE_SUFFIXES)
        if not files:
            raise UserError(
                f"source={part} holds no image ({', '.join(IMAGE_SUFFIXES)}); give an image or a folder of images"
            )
        if odd := [file for file in files if not all(map(is_writable, str(file)))]:
            raise UserError(
                f"source={part} holds {str(odd[0])!r}, whose name is not in UTF-8 or has control characters in it: "
                "rename it"
            )
        taken = {file.place for file in found.values()}
        for file in files:
            place = Path(file.name) if root.is_file() else file.relative_to(root)
            found.setdefault(file, ImageFile(file, _free(place, taken)))
    return list(found.values())


def unread_files(source: str) -> list[Path]:
    """The pictures in the folders of `source` that are of a kind that is not read, sorted by name."""
    folders = {folder for part in split_source(source) if (folder := Path(part).expanduser()).is_dir()}
    return sorted({file for folder in folders for file in files_ending(folder, UNREAD_SUFFIXES)})


def _free(place: Path, taken: set[Path]) -> Path:
    """`place`, or with a number where another source has a file of that name."""
    number, free = 1, place
    while free in taken:
        number += 1
        free = place.with_stem(f"{place.stem}_{number}")
    taken.add(free)
    return free
