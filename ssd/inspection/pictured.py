"""Pictures of findings: the objects that are meant, beside the others of their image."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.figures.drawing import Tag
from ssd.figures.sheets import Cell, Entry, Section, cell, save_sheet
from ssd.figures.strokes import Stroke
from ssd.inspection.finding import Finding, Shown

_COLUMNS, _SIDE = 4, 320  # of a sheet: cells in a row, pixels of a cell's longer side
_FAR = 0.25  # of the image's side: objects of less are shown with their surroundings alone
_AROUND = 4.0  # times the objects' own side
_LEAST = 64  # pixels of such a part

_MEANT = Stroke((213, 94, 0), 3, ground=(255, 255, 255))
_FOUND = Stroke((0, 114, 178), 3, (4, 2), (255, 255, 255))
_OTHER = Stroke((150, 150, 150), 1)
_LEGEND = (Entry("meant", _MEANT), Entry("other objects", _OTHER))
_DETECTED = Entry("detected", _FOUND)


def draw_findings(findings: Sequence[Finding], datasets: Mapping[str, Dataset], path: Path) -> bool:
    """Writes a PNG with the first findings that can be shown, and tells whether there is any.

    Args:
        findings: of one kind.
        datasets: by their names.
        path: of the PNG.
    """
    cells = list(islice(_cells(findings, datasets), _COLUMNS))
    if cells:
        detected = any(shown.found is not None for finding in findings for shown in finding.shown)
        save_sheet([Section("", cells)], [*_LEGEND, _DETECTED] if detected else _LEGEND, _COLUMNS, _SIDE, path)
    return bool(cells)


def _cells(findings: Sequence[Finding], datasets: Mapping[str, Dataset]) -> Iterator[Cell]:
    for finding in findings:
        for shown in finding.shown:
            try:
                yield _cell(shown, datasets[shown.split])
            except UserError:  # it cannot be decoded
                continue


def _cell(shown: Shown, dataset: Dataset) -> Cell:
    image, annotation = dataset[shown.image].image, dataset.annotations[shown.image]
    names = [dataset.class_names[label] for label in annotation.labels]
    found = shown.found
    meant = annotation.boxes[list(shown.objects)]
    seen = np.concatenate([meant, found.boxes]) if found is not None else meant
    top, left, bottom, right = _window(seen, image.shape[:2])
    height, width = image.shape[:2]
    origin = np.array([top / height, left / width] * 2, np.float32)
    scale = np.array([height / (bottom - top), width / (right - left)] * 2, np.float32)

    def placed(box: NDArray[np.float32]) -> NDArray[np.float32]:
        return (box - origin) * scale

    tags = [Tag(placed(annotation.boxes[row]), (names[row],), _MEANT) for row in shown.objects]
    if found is not None:
        tags += [
            Tag(placed(box), (f"{dataset.class_names[label]} {score:.2f}",), _FOUND)
            for box, label, score in zip(found.boxes, found.labels, found.scores, strict=True)
        ]
    others = [row for row in range(len(names)) if row not in shown.objects]
    tags += [Tag(box, (), _OTHER) for row in others if _is_inside(box := placed(annotation.boxes[row]))]
    return cell(os.path.basename(dataset.where(shown.image)), image[top:bottom, left:right], tags, _SIDE)


def _window(boxes: NDArray[np.float32], size: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Top, left, bottom and right pixel of what is shown: the image, or the surroundings of small objects."""
    height, width = size[0], size[1]
    if not len(boxes):
        return 0, 0, height, width
    corners = np.array([*boxes[:, :2].min(axis=0), *boxes[:, 2:].max(axis=0)]) * [height, width, height, width]
    side = float((corners[2:] - corners[:2]).max())
    if side > _FAR * max(size[:2]):
        return 0, 0, height, width
    half = max(_AROUND * side, _LEAST) / 2
    middle = (corners[:2] + corners[2:]) / 2
    (top, left), (bottom, right) = np.floor(middle - half).astype(int), np.ceil(middle + half).astype(int)
    return max(int(top), 0), max(int(left), 0), min(int(bottom), height), min(int(right), width)


def _is_inside(box: NDArray[np.float32]) -> bool:
    """Whether something of a box is in the part that is shown."""
    return bool((box[2:] > 0).all() and (box[:2] < 1).all())
