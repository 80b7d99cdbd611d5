"""One thing that the inspection of a data set found."""

from collections.abc import Sequence
from dataclasses import dataclass

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
