"""What every format is read into: pictures with their objects, and what was odd about the files."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ssd.data.problems import Problems

log = logging.getLogger(__name__)

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One object.

    Attributes:
        name: of its class.
        box: ymin, xmin, ymax, xmax, in pixels from the image's corner or in fractions of the image.
        where: what it is in its file, for messages: "line 3".
        difficult: VOC's flag.
        crowd: COCO's flag: a group of objects in one box.
        area: in pixels; NaN means that of the box.
    """

    name: str
    box: tuple[float, float, float, float]
    where: str
    difficult: bool = False
    crowd: bool = False
    area: float = math.nan


@dataclass(slots=True)
class Picture:
    """One image with its objects.

    Attributes:
        place: of the image in the folder, with `/`; unique.
        source: the file that has its objects, for messages.
        items: its objects.
        fractions: whether their boxes are fractions of the image.
        stated: height and width as the annotations have them; 0 where they do not say.
    """

    place: str
    source: str
    items: list[Item] = field(default_factory=list)
    fractions: bool = False
    stated: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Found:
    """What a format's reader gives.

    Attributes:
        what: the format and its main files, for people: "YOLO text (data.yaml)".
        pictures: every image that is part of the data set.
        splits: name → rows of `pictures`; may be empty, may overlap.
        class_names: in label order, where the format has one.
        is_numbered: whether those are only numbers, as nothing says their names.
        read: gives the encoded image of a row, where the images are not files of their own.
    """

    what: str
    pictures: Sequence[Picture]
    splits: Mapping[str, Sequence[int]]
    class_names: Sequence[str] | None = None
    is_numbered: bool = False
    read: Callable[[int], bytes] | None = None


def shown(files: Iterable[str]) -> str:
    """The names of files, each once and of many the first three, for `Found.what`."""
    names = list(dict.fromkeys(file.rpartition("/")[2] for file in files))
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")


class Notes:
    """What is odd about the files of a folder, each kind said once, with how often it is so.

    Attributes:
        problems: takes the same one by one, and what cannot be used.
    """

    def __init__(self, problems: Problems | None = None) -> None:
        self.problems = problems or Problems()
        self._kinds: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, name: str) -> None:
        """One more of a kind, which is a sentence after its count: "label files have no image"."""
        self._kinds[kind].append(name)
        self.problems.mention("files-odd", f"One of those: {kind}{f': {name}' if name else ''}.", name)

    def say(self, data: str) -> None:
        """Warns of each kind."""
        for kind, names in self._kinds.items():
            shown = ", ".join(filter(None, names[:_NAMED])) + (", …" if len(names) > _NAMED else "")
            log.warning("%s: %d %s%s.", data, len(names), kind, f": {shown}" if shown else "")
