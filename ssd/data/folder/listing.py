"""The files below a folder, listed once: what every format is looked for in."""

import os
from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from urllib.parse import unquote

from ssd.data.folder.places import ROLES
from ssd.data.readers.names import check_file_name
from ssd.data.suffixes import IMAGE_SUFFIXES
from ssd.errors import UserError
from ssd.runs.folder import SWEEP_FILE, is_run

# What systems and MLflow leave behind; names with a dot before are left out too.
_LEFT_OUT = ("__MACOSX", "Thumbs.db", "desktop.ini", "mlruns", "mlartifacts")
# Masks beside the images of VOC and the Oxford pets, which have their names and are none of them.
_MASKS = frozenset({"segmentationclass", "segmentationobject", "trimaps"})
# What belongs to a file of annotations that is named itself, where the others of its folder are left aside.
_BESIDE = (*IMAGE_SUFFIXES, ".txt", ".names", ".pbtxt")


@dataclass(frozen=True)
class Listing:
    """The files of a folder and of those in it, without hidden ones.

    Attributes:
        root: the folder.
        files: their places in it, with `/`, sorted.
    """

    root: Path
    files: tuple[str, ...]

    @cached_property
    def images(self) -> list[str]:
        """The images among them, without masks."""
        return [file for file in self.ending(*IMAGE_SUFFIXES) if not _MASKS.intersection(file.lower().split("/")[:-1])]

    def ending(self, *suffixes: str) -> list[str]:
        """Those whose names end so, in whatever capitals."""
        return [file for file in self.files if file.lower().endswith(suffixes)]

    def without(self, folder: str) -> "Listing":
        """The same less what lies in one of its folders."""
        return Listing(self.root, tuple(file for file in self.files if not file.startswith(f"{folder}/")))

    def path(self, file: str) -> Path:
        """Where one of them is."""
        return self.root / file

    def head(self, file: str, size: int = 4096) -> bytes:
        """The first bytes of one of them, of a text in UTF-8 without a mark; none where it cannot be read."""
        try:
            with self.path(file).open("rb") as opened:
                start = opened.read(size)
        except OSError:
            return b""
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            return start.decode("utf-16", "ignore").encode()
        return start.removeprefix(b"\xef\xbb\xbf")

    def holds(self, file: str, *pieces: bytes) -> bool:
        """Whether all pieces, of ASCII, are somewhere in one of them, however large it is."""
        try:
            with self.path(file).open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
                wide = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}.get(content[:2])
                sought = [piece.decode().encode(wide) for piece in pieces] if wide else pieces
                return all(content.find(piece) >= 0 for piece in sought)
        except (OSError, ValueError):  # an empty one cannot be mapped
            return False


def local_path(path: str) -> Path:
    """A path as a user gives it: with `~`, or as a file manager copies it, `file:///home/me/my%20cells`."""
    is_address = path.startswith("file://")
    return Path(unquote(path.removeprefix("file://")) if is_address else path).expanduser()


def list_folder(root: Path) -> Listing:
    """Lists a folder, without the folders of runs in it, which hold pictures too.

    Links are followed, each folder once, so that a circle of them ends.

    Raises:
        UserError: a folder cannot be listed, or an image's name cannot be shown.
    """
    found: list[str] = []
    _collect(root, "", found, set())
    listing = Listing(root, tuple(sorted(found)))
    for image in listing.images:
        check_file_name(image, f"dataset.path={root} has a file")
    return listing


def list_beside(file: Path) -> Listing:
    """Lists what belongs to a file of annotations: it, and the images and texts of its folder.

    Where that is a folder of annotations only, such as `annotations/`, the folder around it is meant.
    """
    root = file.parent.parent if file.parent.name.lower() in ROLES else file.parent
    own = file.relative_to(root).as_posix()
    listing = list_folder(root)
    return Listing(root, tuple(name for name in listing.files if name == own or name.lower().endswith(_BESIDE)))


def _collect(folder: Path, before: str, found: list[str], seen: set[tuple[int, int]]) -> None:
    if is_run(folder) or (folder / SWEEP_FILE).is_file():
        return
    try:
        identity = folder.stat()
        if (key := (identity.st_dev, identity.st_ino)) in seen:
            return
        seen.add(key)
        with os.scandir(folder) as entries:
            inside = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _LEFT_OUT]
        folders = [entry.name for entry in inside if entry.is_dir()]
        found += [before + entry.name for entry in inside if entry.is_file()]
    except OSError as error:
        raise UserError(
            f"The folder {folder} cannot be listed ({error.strerror}): check its rights, or take it out."
        ) from None
    for name in sorted(folders):
        _collect(folder / name, f"{before}{name}/", found, seen)
