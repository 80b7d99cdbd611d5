"""What was right, missed and false in images, drawn on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.evaluation.outcome import Outcome
from ssd.evaluation.overlaps import MATCH_IOU
from ssd.figures.drawing import Tag
from ssd.figures.sheets import Cell, Entry, Section, cell, save_sheet
from ssd.figures.strokes import Stroke

_SIDE = 640  # pixels of an image's longer side on the sheet

# Okabe and Ito's colours, and dashes for who does not tell them apart.
_DARK, _WHITE = (25, 25, 25), (255, 255, 255)
_RIGHT = Stroke((0, 158, 115), 2, ground=_WHITE)
_MISSED = Stroke((0, 114, 178), 3, (4, 2), _WHITE)
_FALSE = Stroke((213, 94, 0), 3, (1, 1), _WHITE)
_CONFUSED = Stroke((204, 121, 167), 3, (4, 2, 1, 2), _DARK)
_TRUTH = Stroke(_WHITE, 1, (3, 3), (90, 90, 90))
_IGNORED = Stroke((150, 150, 150), 1)


def outcome_cell(image: NDArray[np.uint8], outcome: Outcome, class_names: Sequence[str]) -> Cell:
    """An (H, W, 3) uint8 RGB image with its detections and missed objects, errors on top, and their counts."""
    counts = {
        "right": outcome.right.sum(),
        "missed": outcome.missed.sum(),
        "false": outcome.false.sum(),
        "of wrong class": outcome.confused.sum(),
    }
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name != "of wrong class")
    return cell(f"{outcome.annotation.id} · {told}", image, _tags(outcome, class_names), _SIDE)


def save_outcomes(sections: Sequence[Section], score_threshold: float, path: Path) -> None:
    """Writes a PNG with cells from `outcome_cell`, 2 in a row, or 4 where they are many."""
    legend = [
        Entry(f"right: score ≥ {score_threshold:g}, IoU ≥ {MATCH_IOU:g}", _RIGHT),
        Entry("missed", _MISSED),
        Entry("false", _FALSE),
        Entry("wrong class", _CONFUSED),
        Entry("true box of a found object", _TRUTH),
        Entry("difficult or crowd: ignored", _IGNORED),
    ]
    many = sum(len(section.cells) for section in sections) > 12
    save_sheet(sections, legend, 4 if many else 2, _SIDE, path)


def _tags(outcome: Outcome, class_names: Sequence[str]) -> list[Tag]:
    """Errors first, as they are drawn on top, and are labelled where there is not place for all."""
    objects, found = outcome.annotation, outcome.detections
    true = [class_names[label] for label in objects.labels]
    scores = [f"{score:.2f}" for score in found.scores]
    texts = [f"{class_names[label]} {score}" for label, score in zip(found.labels, scores, strict=True)]
    order = np.argsort(-found.scores, kind="stable")
    right, confused, false, ignored = (
        order[chosen[order]] for chosen in (outcome.right, outcome.confused, outcome.false, outcome.ignored)
    )
    is_truly = {i: f"is {true[outcome.claims[i]]}" for i in confused}
    flags = ["crowd" if crowd else "difficult" for crowd in objects.crowd]
    return [
        *(Tag(found.boxes[i], (f"{texts[i]}, {is_truly[i]}", is_truly[i]), _CONFUSED) for i in confused),
        *(Tag(objects.boxes[i], (f"missed {true[i]}", "missed"), _MISSED) for i in np.flatnonzero(outcome.missed)),
        *(Tag(found.boxes[i], (f"false {texts[i]}", "false"), _FALSE) for i in false),
        *(Tag(objects.boxes[claim], (), _TRUTH) for claim in outcome.claims if claim >= 0),
        *(Tag(found.boxes[i], (texts[i], scores[i]), _RIGHT) for i in right),
        *(
            Tag(objects.boxes[i], (f"{true[i]} ({flags[i]})", flags[i]), _IGNORED)
            for i in np.flatnonzero(~outcome.required)
        ),
        *(Tag(found.boxes[i], (texts[i],), _IGNORED) for i in ignored),
    ]
