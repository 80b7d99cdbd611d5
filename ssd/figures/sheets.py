"""Sheets: images side by side under headings, each with a caption, below a legend of the lines drawn on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ssd.figures.drawing import Tag, draw_tags, font
from ssd.figures.strokes import Stroke, outline
from ssd.figures.text import drawable
from ssd.runs.files import whole

_GAP, _MARGIN, _LINE = 12, 24, 28  # pixels; the last is the height of a line of text
_LETTERS, _TEXT, _HEADING = 14, 17, 21
_INK, _GREY = (30, 30, 30), (110, 110, 110)
_SAMPLE = (26, 12)  # width and height of a legend's sample


class Cell(NamedTuple):
    """A picture on a sheet and what stands above it."""

    caption: str
    picture: Image.Image


class Section(NamedTuple):
    """Cells under a heading, which may be empty."""

    heading: str
    cells: Sequence[Cell]


class Entry(NamedTuple):
    """A line of the legend: what a stroke means."""

    text: str
    stroke: Stroke


def cell(caption: str, image: NDArray[np.uint8], tags: Sequence[Tag], side: int) -> Cell:
    """An (H, W, 3) uint8 RGB image with its boxes.

    Its longer side is scaled to `side` pixels first, so that lines and letters stay sharp. Of a photograph's 8 bits the
    upper 6 are kept, which cannot be seen and makes the file a third smaller.
    """
    scale = side / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    scaled = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    picture = scaled.point([min(round(level / 4) * 4, 255) for level in range(256)] * 3)
    draw_tags(picture, tags, _LETTERS)
    return Cell(caption, picture)


def save_sheet(sections: Sequence[Section], legend: Sequence[Entry], columns: int, side: int, path: Path) -> None:
    """Writes a PNG: the legend, then each section's cells in rows, each row as high as its highest picture.

    Args:
        sections: those without cells are left out.
        legend: what the strokes mean.
        columns: cells in a row.
        side: the width of a cell in pixels.
        path: of the PNG, replaced if it exists.
    """
    sections = [section for section in sections if section.cells]
    width = 2 * _MARGIN + columns * side + (columns - 1) * _GAP
    legend = [Entry(drawable(entry.text), entry.stroke) for entry in legend]
    entries = _legend_places([entry.text for entry in legend], width)
    top = _MARGIN // 2 + (entries[-1][1] + _LINE + _GAP if entries else 0)
    height = top + sum(_height(section, columns) for section in sections) + (_MARGIN if sections else 2 * _LINE)
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    for entry, (x, y) in zip(legend, entries, strict=True):
        middle = _MARGIN // 2 + y + _LINE // 2
        sample = (x, middle - _SAMPLE[1] // 2, x + _SAMPLE[0], middle + _SAMPLE[1] // 2)
        outline(pen, sample, sheet.size, entry.stroke)
        pen.text((x + _SAMPLE[0] + 10, middle), entry.text, _INK, font(_TEXT), anchor="lm")
    for section in sections:
        _draw_section(sheet, section, columns, side, top)
        top += _height(section, columns)
    if not sections:
        pen.text((width / 2, top + _LINE), "no images", _GREY, font(_TEXT), anchor="mm")
    with whole(path) as part:
        sheet.save(part, format="PNG")


def _rows(section: Section, columns: int) -> list[Sequence[Cell]]:
    return [section.cells[start : start + columns] for start in range(0, len(section.cells), columns)]


def _height(section: Section, columns: int) -> int:
    heights = [max(cell.picture.height for cell in row) + _LINE + _GAP for row in _rows(section, columns)]
    return sum(heights) + (_LINE + _GAP if section.heading else 0)


def _draw_section(sheet: Image.Image, section: Section, columns: int, side: int, top: int) -> None:
    pen = ImageDraw.Draw(sheet)
    if section.heading:
        pen.text((_MARGIN, top + _LINE // 2), section.heading, _INK, font(_HEADING), anchor="lm")
        top += _LINE + _GAP
    for row in _rows(section, columns):
        for column, (caption, picture) in enumerate(row):
            left = _MARGIN + column * (side + _GAP)
            pen.text((left, top + _LINE // 2), _shortened(drawable(caption, 120), side), _INK, font(_TEXT), anchor="lm")
            sheet.paste(picture, (left, top + _LINE))
        top += max(picture.height for _, picture in row) + _LINE + _GAP


def _legend_places(texts: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Left and top of each entry, in lines as wide as the sheet."""
    places, x, y = [], _MARGIN, 0
    for text in texts:
        needed = _SAMPLE[0] + 10 + round(font(_TEXT).getlength(text)) + 28
        if x > _MARGIN and x + needed > width - _MARGIN:
            x, y = _MARGIN, y + _LINE
        places.append((x, y))
        x += needed
    return places


def _shortened(caption: str, width: int) -> str:
    """The caption, its beginning cut off where it is wider than `width` pixels."""
    if font(_TEXT).getlength(caption) <= width:
        return caption
    while caption and font(_TEXT).getlength("…" + caption) > width:
        caption = caption[1:]
    return "…" + caption
