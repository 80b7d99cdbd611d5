"""Lines around boxes: told apart by colour and by their dashes, and seen on any picture."""

from typing import NamedTuple

from PIL import ImageDraw

Colour = tuple[int, int, int]
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom: first and last pixels


class Stroke(NamedTuple):
    """How the line around a box looks.

    Attributes:
        colour: RGB.
        width: in pixels.
        dashes: lengths drawn and left out in turn, in widths; none: drawn through.
        ground: RGB of what is left out and, but for lines of one pixel, of a pixel on either side, which keep the line
            apart from any picture; None: the picture is seen there.
    """

    colour: Colour
    width: int
    dashes: tuple[int, ...] = ()
    ground: Colour | None = None


def outline(pen: ImageDraw.ImageDraw, box: Rectangle, size: tuple[int, int], stroke: Stroke) -> None:
    """Draws around a box, not on it, so that small objects stay seen; at the edge of an image of `size` just inside."""
    line = _grown(box, stroke.width, size)
    if stroke.ground is not None:
        beside = 1 if stroke.width > 1 else 0
        pen.rectangle(_grown(line, beside, size), outline=stroke.ground, width=stroke.width + 2 * beside)
    if not stroke.dashes:
        pen.rectangle(line, outline=stroke.colour, width=stroke.width)
        return
    (left, top, right, bottom), inner = line, stroke.width - 1
    for first, last in _dashed(right - left + 1, stroke):
        pen.rectangle((left + first, top, left + last, min(top + inner, bottom)), fill=stroke.colour)
        pen.rectangle((left + first, max(bottom - inner, top), left + last, bottom), fill=stroke.colour)
    for first, last in _dashed(bottom - top + 1, stroke):
        pen.rectangle((left, top + first, min(left + inner, right), top + last), fill=stroke.colour)
        pen.rectangle((max(right - inner, left), top + first, right, top + last), fill=stroke.colour)


def _grown(box: Rectangle, by: int, size: tuple[int, int]) -> Rectangle:
    left, top, right, bottom = box
    return max(left - by, 0), max(top - by, 0), min(right + by, size[0] - 1), min(bottom + by, size[1] - 1)


def _dashed(length: int, stroke: Stroke) -> list[tuple[int, int]]:
    """First and last pixel of each dash on a side of `length` pixels; the corners are always drawn."""
    parts = [part * stroke.width for part in stroke.dashes]
    repeats = max(0, round((length - parts[0]) / sum(parts)))
    dashes, position, stretch = [], 0.0, (length - parts[0]) / (repeats * sum(parts)) if repeats else 1.0
    for drawn, left_out in list(zip(parts[::2], parts[1::2], strict=True)) * repeats:
        dashes.append((round(position), round(position) + drawn - 1))
        position += (drawn + left_out) * stretch
    return [(first, min(last, length - 1)) for first, last in [*dashes, (length - parts[0], length - 1)] if last >= 0]
