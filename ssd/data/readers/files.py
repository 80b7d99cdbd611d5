"""The files of a data set in one folder."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload


@dataclass(frozen=True)
class FilesIn(Sequence[Path]):
    """Paths that are made when they are asked for: names, which a data set has anyway, in one folder."""

    folder: Path
    names: Sequence[str]

    def split(self) -> Iterator[tuple[str, str]]:
        """Folder and name of every file, fast: names may have folders in them, too."""
        folder = str(self.folder)
        for name in self.names:
            yield os.path.split(os.path.join(folder, name)) if os.sep in name else (folder, name)

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "FilesIn": ...
    def __getitem__(self, index: int | slice) -> "Path | FilesIn":
        if isinstance(index, slice):
            return FilesIn(self.folder, self.names[index])
        return self.folder / self.names[index]
