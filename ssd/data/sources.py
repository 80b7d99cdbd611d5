"""Whether files are still what they were when something was read from them."""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stamp:
    """What tells files from changed ones: a digest of all names, sizes, times and inodes, and the newest time in ns."""

    digest: str
    newest: int

    def is_settled(self, began: int) -> bool:
        """Whether no file was changed in the 2 s before `began` (`time.time_ns`), when the stamp was taken.

        A change within the tick of a file system's clock leaves the time as it was: 2 s on FAT.
        """
        return self.newest < began - 2_000_000_000


def stamp_of(paths: Sequence[Path]) -> Stamp | None:
    """The stamp of files, and of all files in folders; a file that is not there has one, too.

    The time of the last change of a file's entry (ctime) counts as well: tools that copy set the other back.

    Returns:
        None where it cannot be told: something cannot be looked at, or is a link to nothing or to a folder.
    """
    lines, newest = [], 0
    try:
        for name, found in _all(paths):
            if found is None:
                lines.append(f"{name}\0")
                continue
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
            lines.append(f"{name}\0{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}")
    except OSError:
        return None
    return Stamp(hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogatepass")).hexdigest(), newest)


def _all(paths: Sequence[Path]) -> Iterator[tuple[str, os.stat_result | None]]:
    for path in paths:
        try:
            found = path.stat()
        except FileNotFoundError:
            yield str(path), None
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _below(str(path))
        else:
            yield str(path), found


def _below(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.path, entry.stat()
            elif entry.is_symlink():
                raise NotADirectoryError(entry.path)  # where it leads may be without end
            else:
                yield from _below(entry.path)
