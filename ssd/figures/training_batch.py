"""A training batch as the network sees it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.figures.colours import class_colours
from ssd.figures.drawing import Tag
from ssd.figures.sheets import Entry, Section, cell, save_sheet
from ssd.figures.strokes import Stroke

_SIDE = 420  # pixels of an image's longer side on the sheet


def training_batch(batch: Mapping[str, NDArray], class_names: Sequence[str], path: Path) -> None:
    """Writes a PNG with up to 16 images of a batch.

    Args:
        batch: image (B, S, S, 3) uint8 RGB, boxes (B, M, 4) float32, labels (B, M) int32 with -1 for padding, and
            perhaps index (B,) with -1 for padding images, which are left out.
        class_names: in label order.
        path: of the PNG, replaced if it exists.
    """
    strokes = [Stroke(colour, 2) for colour in class_colours(len(class_names))]
    real = np.asarray(batch["index"]) >= 0 if "index" in batch else np.ones(len(batch["image"]), np.bool_)
    cells, shown = [], set[int]()
    for row in np.flatnonzero(real)[:16]:
        labels, boxes = np.asarray(batch["labels"][row]), np.asarray(batch["boxes"][row])
        labels, boxes = labels[labels >= 0], boxes[labels >= 0]
        tags = [Tag(box, (class_names[label],), strokes[label]) for box, label in zip(boxes, labels, strict=True)]
        caption = f"{len(labels)} object{'' if len(labels) == 1 else 's'}"
        cells.append(cell(caption, np.asarray(batch["image"][row]), tags, _SIDE))
        shown |= set(labels.tolist())
    legend = [Entry(class_names[label], strokes[label]) for label in sorted(shown)]
    save_sheet([Section("", cells)], legend, min(4, max(len(cells), 1)), _SIDE, path)
