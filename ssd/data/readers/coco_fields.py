"""Values of a COCO instances file, each checked; numbers written as text are taken for them, counted and said."""

import logging
import math
import re
from pathlib import Path
from typing import Any

from ssd.data.problems import Problems
from ssd.errors import UserError

log = logging.getLogger(__name__)

_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*")
LONGEST_SIDE = 1_000_000  # pixels
MOST_EXACT = 2**53  # what a float counts to


class Fields:
    """Reads the entries of one file.

    Args:
        path: names the file in messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._as_text: list[str] = []

    def value(self, item: Any, key: str, what: str) -> Any:
        """Entry `key` of `item`, which is one of the file's `what`: image, annotation, category."""
        try:
            return item[key]
        except (KeyError, TypeError):
            raise UserError(f"An entry of {self.path} has no {key!r}: add it to {what} {_short(item)}.") from None

    def whole(self, item: Any, key: str, what: str) -> int:
        """A whole number, such as an id."""
        value = self.value(item, key, what)
        number = self._number(value, what, item)
        if number is None or not math.isfinite(number) or number != int(number) or abs(number) > MOST_EXACT:
            raise UserError(
                f"{self.path} has the {key} {_short(value)} in {what} {_short(item)}: it must be a whole number."
            )
        return int(number)

    def side(self, image: Any, key: str) -> int:
        """Height or width of an image in pixels."""
        value = self.value(image, key, "image")
        number = self._number(value, "image", image)
        if number is None or not 1 <= number <= LONGEST_SIDE or number != int(number):
            raise UserError(
                f"The image {image['file_name']} in {self.path} has {key} {_short(value)}: it must be a positive whole "
                "number of pixels."
            )
        return int(number)

    def bbox(self, item: Any) -> tuple[float, float, float, float]:
        """x, y, width, height."""
        box = self.value(item, "bbox", "annotation")
        numbers = [self._number(value, "annotation", item) for value in box] if isinstance(box, list) else []
        if len(numbers) != 4 or None in numbers:
            raise UserError(
                f"Annotation {_short(item.get('id'))} in {self.path} has the bbox {_short(box)}: it must be x, y, "
                "width and height."
            )
        x, y, width, height = (float(number) for number in numbers if number is not None)
        return x, y, width, height

    def area(self, item: dict[str, Any]) -> float:
        """In pixels; NaN where none is given."""
        value = item.get("area")
        number = math.nan if value is None else self._number(value, "annotation", item)
        if number is None or number < 0 or math.isinf(number):
            raise UserError(
                f"Annotation {_short(item.get('id'))} in {self.path} has the area {_short(value)}: it must be a "
                "positive number; correct it, or leave it out for the area of the box."
            )
        return number or math.nan

    def is_crowd(self, item: dict[str, Any]) -> bool:
        """`iscrowd`, false where it is not given."""
        value = item.get("iscrowd")
        number = value if value is None or isinstance(value, bool) else self._number(value, "annotation", item)
        if number not in (0, 1) and value is not None:
            raise UserError(
                f"Annotation {_short(item.get('id'))} in {self.path} has iscrowd {_short(value)}: it must be 0 or 1."
            )
        return bool(number)

    def say_text(self, problems: Problems) -> None:
        """One warning of all numbers that were text."""
        for where in self._as_text:
            problems.mention("number-as-text", f"A number of {where} in {self.path} is written as text.", self.path)
        if self._as_text:
            log.warning(
                "%s: %d numbers are written as text, and taken as numbers; the first is in %s.",
                *(self.path, len(self._as_text), self._as_text[0]),
            )

    def _number(self, value: Any, what: str, item: Any) -> float | None:
        if isinstance(value, str) and _NUMBER.fullmatch(value[:40]):
            self._as_text.append(f"{what} {_short(item.get('id'))}")
            value = float(value[:40])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        try:
            return float(value)
        except OverflowError:
            return math.inf


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
