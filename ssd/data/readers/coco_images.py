"""The images that a COCO instances file lists."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ssd.data.problems import Problems
from ssd.data.readers.coco_blocks import blocks, decoded, plain_images
from ssd.data.readers.coco_fields import Fields
from ssd.data.readers.files import FilesIn
from ssd.data.readers.names import check_file_name
from ssd.errors import UserError


@dataclass
class Images:
    """Of the images that can be used: file names, sizes (height, width), and image id → row; ids of the others."""

    ids: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    rows: dict[int, int] = field(default_factory=dict)
    left_out: set[Any] = field(default_factory=set)

    def add(self, number: int, name: str, size: tuple[int, int], path: Path) -> None:
        """Appends one, and raises a UserError where its id is that of another."""
        if number in self.rows:
            raise UserError(
                f"{path} has two images with the id {number}, {self.ids[self.rows[number]]} and {name}: ids are unique."
            )
        self.rows[number] = len(self.ids)
        self.ids.append(name)
        self.sizes.append(size)


def read_images(entries: Sequence[Any], fields: Fields, folder: Path, problems: Problems) -> Images:
    """All entries that can be used.

    Raises:
        UserError: one cannot be used, and `problems` does not skip it.
    """
    images = Images()
    sound = _Usable(folder, fields.path) if problems.skips else None
    for block in blocks(entries):
        plain = plain_images(block) if sound is None else None
        if plain is None:
            _add_by_entry(images, decoded(block, fields.path), fields, sound, problems)
        else:
            for name, size, number in zip(*plain, strict=True):
                images.add(number, name, size, fields.path)
    return images


def _add_by_entry(
    images: Images, entries: Sequence[Any], fields: Fields, usable: "_Usable | None", problems: Problems
) -> None:
    for entry in entries:
        kind, number = "image-malformed", None
        try:
            number = fields.whole(entry, "id", "image")
            name = check_file_name(fields.value(entry, "file_name", "image"), f"{fields.path} has the file_name")
            size = fields.side(entry, "height"), fields.side(entry, "width")
            if usable is not None and number not in images.rows:
                kind, error = usable.fault(name)
                if error is not None:
                    raise error
            images.add(number, name, size, fields.path)
        except UserError as error:
            problems.leave_out(kind, error, fields.path, number)
            images.left_out.add(number)


class _Usable:
    """Which images are there, and not listed yet."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._there, self._folder, self._path = set(_listed(folder)), folder, path
        self._names: set[str] = set()

    def fault(self, name: str) -> tuple[str, UserError | None]:
        """What is wrong with one that is listed, and its kind."""
        if name in self._names:
            return "listed-twice", UserError(f"{self._path} lists the image {name} twice: keep it once.")
        if name not in self._there and not (self._folder / name).is_file():
            text = f"{self._path} lists {name}, not found in {self._folder}: put it there, or take it out."
            return "image-missing", UserError(text)
        self._names.add(name)
        return "image-malformed", None


def existing(folder: Path, ids: Sequence[str], path: Path) -> FilesIn:
    """The image files, each known to exist. One listing of the folder is much faster than a question per image."""
    present = set(_listed(folder))
    missing = [i for i in ids if i not in present and not (folder / i).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more images" if len(missing) > 1 else ""
        raise UserError(f"{path} lists {missing[0]}{more}, not found in {folder}: check the folder of the images.")
    return FilesIn(folder, ids)


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be listed ({error.strerror}): check its rights.") from None
