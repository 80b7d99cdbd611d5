"""Boxes with labels on one image."""

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ssd.errors import UserError
from ssd.figures.colours import class_colours, readable_on
from ssd.figures.strokes import Rectangle, Stroke, outline
from ssd.figures.text import drawable
from ssd.inference.detections import Detections


class Tag(NamedTuple):
    """One box to draw.

    Attributes:
        box: normalised ymin, xmin, ymax, xmax.
        texts: what to write, from the whole text to the shortest that is still worth its place; none: nothing.
        stroke: of its line; the text stands on its colour.
    """

    box: NDArray[np.float32]
    texts: tuple[str, ...]
    stroke: Stroke


def draw_detections(image: NDArray[np.uint8], detections: Detections, class_names: Sequence[str]) -> NDArray[np.uint8]:
    """Draws all given detections, with class and score, on a copy of the image.

    Lines and letters grow with the image. Labels never cover each other: where boxes are dense a label is shortened to
    its score or left out, the less sure detection giving way.

    Args:
        image: (H, W, 3) uint8 RGB of any size.
        detections: usually `detections.above(score)`.
        class_names: in label order.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    longer = max(image.shape[:2])
    canvas = Image.fromarray(image)
    strokes = [Stroke(colour, max(1, round(longer / 400))) for colour in class_colours(len(class_names))]
    tags = [
        Tag(
            detections.boxes[i],
            (f"{class_names[detections.labels[i]]} {detections.scores[i]:.2f}", f"{detections.scores[i]:.2f}"),
            strokes[detections.labels[i]],
        )
        for i in np.argsort(-detections.scores, kind="stable")
    ]
    draw_tags(canvas, tags, max(11, round(longer / 50)))
    return np.array(canvas)


def draw_tags(canvas: Image.Image, tags: Sequence[Tag], font_size: int) -> None:
    """Draws on `canvas`, an RGB image; the first tags lie on top and are labelled first. `font_size` is in pixels."""
    pen, letters = ImageDraw.Draw(canvas), font(font_size)
    boxes = [_pixels(tag.box, canvas.size) for tag in tags]
    for box, tag in reversed(list(zip(boxes, tags, strict=True))):
        outline(pen, box, canvas.size, tag.stroke)
    taken = np.zeros((0, 4), np.int64)
    for box, tag in zip(boxes, tags, strict=True):
        for text in map(drawable, tag.texts):
            place = _free_place(box, _label_size(text, font_size), canvas.size, taken)
            if place is not None:
                taken = np.concatenate([taken, [place]])
                pen.rectangle((*place[:2], place[2] - 1, place[3] - 1), fill=tag.stroke.colour)
                middle = ((place[0] + place[2]) / 2, (place[1] + place[3]) / 2)
                pen.text(middle, text, fill=readable_on(tag.stroke.colour), font=letters, anchor="mm")
                break


@lru_cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings along and which has letters of most alphabets.

    Raises:
        UserError: matplotlib is not installed.
    """
    found = find_spec("matplotlib")  # whose import takes a while
    if found is None or found.origin is None:
        raise UserError("drawing takes its letters from matplotlib, which is not installed: pip install matplotlib")
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", size)


def _label_size(text: str, font_size: int) -> tuple[int, int]:
    """Width and height of a label: as high for every text, with a little air."""
    return round(font(font_size).getlength(text)) + font_size // 2 + 1, round(font_size * 1.3)


def _pixels(box: NDArray[np.float32], size: tuple[int, int]) -> Rectangle:
    """First and last pixel of a normalised box, inside the image and at least one pixel."""
    width, height = size
    top, left, bottom, right = np.clip(np.nan_to_num(box), 0.0, 1.0).tolist()
    x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
    return x, y, max(x, round(right * width) - 1), max(y, round(bottom * height) - 1)


def _free_place(
    box: Rectangle, label: tuple[int, int], size: tuple[int, int], taken: NDArray[np.int64]
) -> Rectangle | None:
    """Where a label fits beside or inside its box without touching the labels in `taken`, (N, 4), if anywhere.

    Tried in turn: above the box, inside at its top, below, inside at its bottom; each flush left, then flush right.
    """
    (left, top, right, bottom), (width, height) = box, label
    if width > size[0] or height > size[1]:
        return None
    for y in (top - height, top, bottom + 1, bottom + 1 - height):
        if not 0 <= y <= size[1] - height:
            continue
        for x in (left, right + 1 - width):
            x = min(max(x, 0), size[0] - width)
            covers = (taken[:, 0] < x + width) & (x < taken[:, 2]) & (taken[:, 1] < y + height) & (y < taken[:, 3])
            if not covers.any():
                return x, y, x + width, y + height
    return None
