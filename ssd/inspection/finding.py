"""One thing that the inspection of a data set found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

from ssd.inference.detections import Detections
from ssd.inspection.kinds import KINDS, Kind


@dataclass(frozen=True)
class Shown:
    """Where a finding can be seen.

    Attributes:
        split: name of the data set.
        image: its index in there.
        objects: rows of the objects that are meant; none: the whole image.
        found: what a detector found there.
    """

    split: str
    image: int
    objects: tuple[int, ...] = ()
    found: Detections | None = None


@dataclass(frozen=True)
class Finding:
    """What was found.

    Attributes:
        kind: a key of `KINDS`.
        text: the reason, in a sentence.
        file: it is about; empty where it is about the data set.
        object: counts from 1 as in the data set, or is the annotation's id; None: the whole file.
        shown: images to look at.
    """

    kind: str
    text: str
    file: str = ""
    object: int | str | None = None
    shown: Sequence[Shown] = ()
    sureness: float = 1.0  # 0 to 1, of a detector's suspicion

    @property
    def of(self) -> Kind:
        """Severity, title and advice."""
        return KINDS[self.kind]


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """Findings of one kind on objects, each made when it is asked for: of tiny boxes there can be 100,000.

    Attributes:
        rows: of the objects.
        make: from such a row.
    """

    rows: Sequence[int]
    make: Callable[[int], Finding]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> "Findings": ...
    def __getitem__(self, index: int | slice) -> "Finding | Findings":
        if isinstance(index, slice):
            return Findings(self.rows[index], self.make)
        return self.make(self.rows[index])
