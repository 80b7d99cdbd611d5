"""The files of a data set in one folder."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload


@dataclass(frozen=True)
class FilesIn(Sequence[Path]):
    """Paths that are made when they are asked for: names, which a data set has anyway, in one folder."""

    folder: Path
    names: Sequence[str]

    def as_text(self) -> list[str]:
        """All paths, fast."""
        return [os.path.join(self.folder, name) for name in self.names]

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
