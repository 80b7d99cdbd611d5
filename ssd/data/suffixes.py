"""Endings of the names of image files. They say only which files of a folder are looked at: `ssd.data.formats`."""

import logging
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jp2", ".j2k"),
    *(".avif", ".heic", ".heif", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico", ".psd"),
)
# Of pictures that are not read: counted and named where they lie among others.
UNREAD_SUFFIXES = (
    *(".jxl", ".svg", ".exr", ".hdr", ".dcm", ".nii", ".pdf", ".eps", ".mp4", ".mov"),
    *(".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".raw"),
)
_NAMED = 5


def files_ending(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    """The files in a folder, and in its folders, with one of these endings; sorted by name."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes and file.is_file())


def say_unread(files: Sequence[Path]) -> None:
    """Warns of pictures that are not read, where there are some."""
    if files:
        shown = ", ".join(map(str, files[:_NAMED])) + (", ..." if len(files) > _NAMED else "")
        log.warning("files of a kind that is not read (%d): %s; save them as JPEG or PNG.", len(files), shown)
