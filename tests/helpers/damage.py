"""What becomes of files: cut by a full disk, written over, lost."""

from collections.abc import Callable
from pathlib import Path


def garbage(file: Path) -> None:
    file.write_bytes(b"\x00\xff\x9e" * 99)


def cut_short(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def missing(file: Path) -> None:
    file.unlink()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def latin_1(file: Path) -> None:
    file.write_bytes("name: Größe\n".encode("latin-1"))


def other_kind(file: Path) -> None:
    file.write_text("5\n")


# Each with what a sentence says of it.
DAMAGES: dict[Callable[[Path], None], str] = {
    garbage: "it is not UTF-8 text",
    cut_short: "it is cut short",
    empty: "it is empty",
    missing: "it is missing",
    a_folder: "it is a folder",
    latin_1: "it is not UTF-8 text",
    other_kind: "",
}


def files_in(folder: Path) -> dict[Path, bytes]:
    """All files below a folder, and what they hold."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
