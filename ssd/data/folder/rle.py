"""The box of a COCO mask: of polygons, and of run lengths plain or in pycocotools' text."""

from collections.abc import Sequence
from itertools import accumulate

Box = tuple[float, float, float, float]


def polygon_box(numbers: Sequence[float]) -> Box:
    """ymin, xmin, ymax, xmax of x, y, x, y, ...

    Raises:
        ValueError: fewer than three points, or half a point.
    """
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError("a polygon has at least three points of x and y")
    xs, ys = numbers[0::2], numbers[1::2]
    return min(ys), min(xs), max(ys), max(xs)


def run_length_box(counts: Sequence[int] | str, height: int) -> Box:
    """ymin, xmin, ymax, xmax of a mask in pixels; an empty one has a box without sides.

    Args:
        counts: lengths of runs of 0 and 1 in turns, column by column, beginning with 0; or their text.
        height: of the image.

    Raises:
        ValueError: they are no run lengths.
    """
    lengths = _from_text(counts) if isinstance(counts, str) else [int(count) for count in counts]
    if height < 1 or any(length < 0 for length in lengths):
        raise ValueError("run lengths are positive")
    ends = list(accumulate(lengths))
    top, left, bottom, right = height, ends[-1] if ends else 0, 0, 0
    for start, end in zip(ends[0::2], ends[1::2], strict=False):
        if start == end:
            continue
        first, last = divmod(start, height), divmod(end - 1, height)
        left, right = min(left, first[0]), max(right, last[0] + 1)
        spans = first[0] != last[0]  # a run that goes on in the next column has the image's whole height
        top = 0 if spans else min(top, first[1])
        bottom = height if spans else max(bottom, last[1] + 1)
    return (float(top), float(left), float(bottom), float(right)) if right else (0.0, 0.0, 0.0, 0.0)


def _from_text(text: str) -> list[int]:
    """pycocotools' `rleFrString`: five bits a letter from '0' on, the sixth for more; from the third on differences."""
    lengths: list[int] = []
    position = 0
    while position < len(text):
        value, shift, more = 0, 0, True
        while more:
            if position == len(text) or not 0 <= (code := ord(text[position]) - 48) < 64 or shift > 60:
                raise ValueError("the text of a mask is cut short or damaged")
            value |= (code & 31) << shift
            more = bool(code & 32)
            shift += 5
            position += 1
        if code & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    return lengths
