"""Images by themselves: unreadable, damaged, of one colour, turned by their camera, without objects."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.look import Look
from ssd.data.sample import Dataset
from ssd.inspection.finding import Finding, Shown

_ONE_COLOUR = 2.0  # grey levels: the largest difference in a thumbnail, which noise of a sensor is below
ON_ITS_SIDE = (5, 6, 7, 8)


def check_pictures(dataset: Dataset, looks: Sequence[Look], misfits: Collection[int]) -> list[Finding]:
    """Findings on single images.

    Args:
        dataset: the split.
        looks: one for each of its images.
        misfits: images whose annotation states their size with height and width exchanged, or whose boxes reach
            outside.
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
        if look.orientation != 1:
            text = f"{where} has the EXIF orientation {look.orientation}: viewers show it otherwise than it is stored"
            fits = look.orientation not in ON_ITS_SIDE or i not in misfits
            end = "." if fits else ", and its boxes or its stated size are those of the turned image."
            findings.append(Finding("exif-tag" if fits else "exif-rotated", text + end, where, shown=shown))
        if not len(dataset.annotations[i].labels):
            findings.append(Finding("image-without-objects", f"{where} has no objects.", where, shown=shown))
    return findings


def _unusable(dataset: Dataset, index: int, look: Look) -> Finding:
    where, annotation = dataset.where(index), dataset.annotations[index]
    said = annotation.height, annotation.width
    if not all(look.size) or look.size == said:
        return Finding("image-unreadable", look.error, where)
    turned = look.orientation in ON_ITS_SIDE and look.size == said[::-1]
    hint = " It has an EXIF tag that turns it, and the annotation is of the turned image." if turned else ""
    return Finding("image-size", look.error + hint, where)


def as_pixels(look: Look) -> NDArray[np.float32]:
    """(256,) float32 grey of the thumbnail."""
    return np.frombuffer(bytes.fromhex(look.thumbnail), np.uint8).astype(np.float32)
