"""Images by themselves: unreadable, damaged, of one colour, turned by their camera, without objects."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.look import Look
from ssd.data.orientation import MadeOn, made_on
from ssd.data.sample import Dataset
from ssd.inspection.finding import Finding, Shown

_ONE_COLOUR = 2.0  # grey levels: the largest difference in a thumbnail, which noise of a sensor is below


def check_pictures(dataset: Dataset, looks: Sequence[Look], misfits: Collection[int]) -> list[Finding]:
    """Findings on single images.

    Args:
        dataset: the split.
        looks: one for each of its images.
        misfits: images whose boxes reach outside.
    """
    findings = []
    for i, look in enumerate(looks):
        where, shown = dataset.where(i), (Shown(dataset.name, i),)
        if look.error:
            findings.append(_unusable(dataset, i, look))
            continue
        if look.damaged:
            text = f"{where} is decoded as far as possible; its decoder tells of damaged data."
            findings.append(Finding("image-damaged", text, where, shown=shown))
        if np.ptp(as_pixels(look)) < _ONE_COLOUR:
            findings.append(Finding("image-blank", f"{where} is of one colour.", where, shown=shown))
        annotation = dataset.annotations[i]
        made = made_on(look.size, look.orientation, (annotation.height, annotation.width))
        if made in (MadeOn.stored, MadeOn.either):
            text = f"{where} has the EXIF orientation {look.orientation}: viewers show it otherwise than it is stored"
            slipped = made is MadeOn.stored and i in misfits
            end = (
                ", and its boxes reach outside." if slipped else "; its boxes are taken for those of the stored pixels."
            )
            findings.append(Finding("exif-rotated" if slipped else "exif-tag", text + end, where, shown=shown))
        if not len(annotation.labels):
            findings.append(Finding("image-without-objects", f"{where} has no objects.", where, shown=shown))
    return findings


def _unusable(dataset: Dataset, index: int, look: Look) -> Finding:
    where, annotation = dataset.where(index), dataset.annotations[index]
    said = annotation.height, annotation.width
    if not all(look.size) or look.size == said:
        return Finding("image-unreadable", look.error, where)
    return Finding("image-size", look.error, where)


def as_pixels(look: Look) -> NDArray[np.float32]:
    """(256,) float32 grey of the thumbnail."""
    return np.frombuffer(bytes.fromhex(look.thumbnail), np.uint8).astype(np.float32)
