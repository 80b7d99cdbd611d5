"""Sheets of images with their boxes: truth beside prediction, and a training batch."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ssd.data.sample import Annotation
from ssd.figures.colours import class_colours
from ssd.figures.drawing import Tag, detection_tags, draw_tags, font
from ssd.inference.detections import Detections

_CELL = 420  # pixels of an image's longer side on a sheet
_GAP, _MARGIN, _CAPTION, _LEGEND = 8, 24, 26, 26
_LINE, _LETTERS = 2, 12
_INK, _GREY = (30, 30, 30), (110, 110, 110)


class _Cell(NamedTuple):
    """One picture on a sheet: what stands above it, the picture, the labels it shows."""

    caption: str
    picture: Image.Image
    labels: NDArray[np.int32]


def truth_and_prediction(
    images: Sequence[NDArray[np.uint8]],
    annotations: Sequence[Annotation],
    detections: Sequence[Detections],
    class_names: Sequence[str],
    path: Path,
    score_threshold: float = 0.5,
) -> None:
    """Writes a PNG with the annotated boxes of each image at the left and the detected ones at the right.

    Args:
        images: (H, W, 3) uint8 RGB each, of any size.
        annotations: one per image.
        detections: one per image; those with less than `score_threshold` are not drawn.
        class_names: in label order.
        path: of the PNG, replaced if it exists.
        score_threshold: in [0, 1].
    """
    cells = []
    for image, annotation, found in zip(images, annotations, detections, strict=True):
        chosen = found.above(score_threshold)
        truth = _cell(f"{annotation.id} · truth", image, _truth_tags(annotation, class_names), annotation.labels)
        prediction = f"prediction, score ≥ {score_threshold:g}"
        cells += [truth, _cell(prediction, image, detection_tags(chosen, class_names), chosen.labels)]
    _save(cells, 2 if len(cells) <= 4 else 4, 2, class_names, path)


def training_batch(batch: Mapping[str, NDArray], class_names: Sequence[str], path: Path) -> None:
    """Writes a PNG with up to 16 images of a batch as the network sees them.

    Args:
        batch: image (B, S, S, 3) uint8 RGB, boxes (B, M, 4) float32, labels (B, M) int32 with -1 for padding, and
            perhaps index (B,) with -1 for padding images, which are left out.
        class_names: in label order.
        path: of the PNG, replaced if it exists.
    """
    colours = class_colours(len(class_names))
    real = np.asarray(batch["index"]) >= 0 if "index" in batch else np.ones(len(batch["image"]), np.bool_)
    cells = []
    for row in np.flatnonzero(real)[:16]:
        labels, boxes = np.asarray(batch["labels"][row]), np.asarray(batch["boxes"][row])
        labels, boxes = labels[labels >= 0], boxes[labels >= 0]
        tags = [Tag(box, (class_names[label],), colours[label]) for box, label in zip(boxes, labels, strict=True)]
        caption = f"{len(labels)} object{'' if len(labels) == 1 else 's'}"
        cells.append(_cell(caption, np.asarray(batch["image"][row]), tags, labels))
    _save(cells, min(4, max(len(cells), 1)), 1, class_names, path)


def _truth_tags(annotation: Annotation, class_names: Sequence[str]) -> list[Tag]:
    colours, tags = class_colours(len(class_names)), []
    for box, label, difficult, crowd in zip(
        annotation.boxes, annotation.labels, annotation.difficult, annotation.crowd, strict=True
    ):
        name, flag = class_names[label], " (crowd)" if crowd else " (difficult)" if difficult else ""
        tags.append(Tag(box, (name + flag, name), colours[label]))
    return tags


def _cell(caption: str, image: NDArray[np.uint8], tags: Sequence[Tag], labels: NDArray[np.int32]) -> _Cell:
    """Scales the image first, so that lines and letters stay sharp."""
    scale = _CELL / max(image.shape[:2])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    picture = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.BICUBIC)
    draw_tags(picture, tags, _LINE, _LETTERS)
    return _Cell(caption, picture, labels)


def _save(cells: Sequence[_Cell], columns: int, together: int, class_names: Sequence[str], path: Path) -> None:
    """Lays the cells out in rows, each as high as its highest picture, above a legend of the classes they show.

    Each `together` columns stand close, with a wider gap to the next.
    """
    lefts = [_MARGIN + column * (_CELL + _GAP) + column // together * _GAP for column in range(columns)]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    heights = [max(cell.picture.height for cell in row) + _CAPTION + _GAP for row in rows]
    width = lefts[-1] + _CELL + _MARGIN
    shown = np.unique(np.concatenate([np.zeros(0, np.int32), *(cell.labels for cell in cells)]))
    entries = _legend_places([class_names[label] for label in shown], width)
    bottom = _MARGIN // 2 + sum(heights)
    height = bottom + (entries[-1][1] + _LEGEND if entries else _LEGEND) + _MARGIN // 2
    sheet = Image.new("RGB", (width, height), (255, 255, 255))
    pen, top = ImageDraw.Draw(sheet), _MARGIN // 2
    for row, row_height in zip(rows, heights, strict=True):
        for left, cell in zip(lefts, row, strict=False):  # the last row may be short
            pen.text((left, top + _CAPTION / 2), _shortened(cell.caption), _INK, font(14), anchor="lm")
            sheet.paste(cell.picture, (left, top + _CAPTION))
        top += row_height
    if not cells:
        pen.text((width / 2, height / 2), "no images", _GREY, font(14), anchor="mm")
    colours = class_colours(len(class_names))
    for label, (x, y) in zip(shown, entries, strict=True):
        middle = bottom + y + _LEGEND / 2
        pen.rectangle((x, middle - 6, x + 12, middle + 6), fill=colours[label])
        pen.text((x + 20, middle), class_names[label], _INK, font(14), anchor="lm")
    sheet.save(path, format="PNG")


def _legend_places(names: Sequence[str], width: int) -> list[tuple[int, int]]:
    """Left and top of each entry, in lines as wide as the sheet."""
    places, x, y = [], _MARGIN, 0
    for name in names:
        needed = 20 + round(font(14).getlength(name)) + 24
        if x > _MARGIN and x + needed > width - _MARGIN:
            x, y = _MARGIN, y + _LEGEND
        places.append((x, y))
        x += needed
    return places


def _shortened(caption: str) -> str:
    """The caption, its beginning cut off where it is wider than a picture."""
    if font(14).getlength(caption) <= _CELL:
        return caption
    while caption and font(14).getlength("…" + caption) > _CELL:
        caption = caption[1:]
    return "…" + caption
