"""Boxes that are odd by themselves or beside another one of their image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.inspection.finding import Finding, Findings
from ssd.inspection.objects import Objects, found_in

# Sides in the network's pixels. SSD's finest map has a stride of 8, and its smallest priors are 30 of 300 pixels wide;
# of a side of 4 pixels a prior of half an overlap does not exist, and what is left of the object is a smear.
_TINY = 4.0
_THIN = 20.0  # the longer side over the shorter one, in pixels; SSD's priors go to 3, skis and trains to about 15
_WHOLE = 0.98  # of the image's area
_SAME = 0.9  # IoU of two boxes of one class that are hardly two objects; drawn twice by hand they come to about 0.9
_SAME_PLACE = 0.95  # the same of two classes, which lie over each other more often: a person and their coat


def check_boxes(dataset: Dataset, objects: Objects, image_size: int) -> list[Sequence[Finding]]:
    """Findings on tiny, thin and whole boxes, and on boxes in the place of another one; those of a part have one kind.

    Args:
        dataset: the split.
        objects: its objects; crowds are left alone.
        image_size: side in pixels of the square that the network sees.
    """
    pairs = ([finding] for finding in _pairs(dataset, objects))
    return [found for found in (*_shapes(dataset, objects, image_size), *pairs) if found]


def _shapes(dataset: Dataset, objects: Objects, image_size: int) -> list[Findings]:
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]).astype(np.float64)
    pixels = sides * objects.sizes
    ratio = pixels.max(axis=1, initial=0) / np.maximum(pixels.min(axis=1, initial=np.inf), 1e-9)
    tiny = (sides * image_size).min(axis=1, initial=np.inf) < _TINY

    def of_tiny(i: int) -> Finding:
        height, width = sides[i] * image_size
        text = f"has {width:.1f} x {height:.1f} pixels at the network's size of {image_size}."
        return found_in("box-tiny", dataset, objects, text, i)

    def of_thin(i: int) -> Finding:
        height, width = pixels[i]
        return found_in("box-thin", dataset, objects, f"has {width:.0f} x {height:.0f} pixels.", i)

    def of_whole(i: int) -> Finding:
        return found_in("box-whole-image", dataset, objects, "covers its image.", i)

    thin, whole = (ratio > _THIN) & ~tiny, sides.prod(axis=1) > _WHOLE
    kinds = ((tiny, of_tiny), (thin, of_thin), (whole, of_whole))
    return [Findings(np.flatnonzero(odd & ~objects.crowd).tolist(), make) for odd, make in kinds]


def _pairs(dataset: Dataset, objects: Objects) -> list[Finding]:
    findings = []
    for first, second, iou in close_pairs(objects, _SAME):
        same_class = objects.labels[first] == objects.labels[second]
        number = int(objects.row[first]) + 1
        if same_class and iou == 1:
            text, kind = f"has the class and the box of object {number}.", "object-twice"
        elif same_class:
            text, kind = f"covers object {number} of its class, with an IoU of {iou:.2f}.", "object-nearly-twice"
        elif iou >= _SAME_PLACE:
            name = dataset.class_names[objects.labels[first]]
            text, kind = f"is in the place of object {number} ({name}), with an IoU of {iou:.2f}.", "object-two-classes"
        else:
            continue
        findings.append(found_in(kind, dataset, objects, text, second, (first,)))
    return findings


def close_pairs(objects: Objects, least: float) -> list[tuple[int, int, float]]:
    """Pairs of objects of one image with an IoU of `least` or more, crowds left out; each object once as the second.

    Boxes that overlap so much have nearly the same ymin, so that in the order of image and ymin only few neighbours
    are compared.
    """
    kept = np.flatnonzero(~objects.crowd)
    order = kept[np.lexsort((objects.boxes[kept, 0], objects.image[kept]))]
    boxes, image = objects.boxes[order].astype(np.float64), objects.image[order]
    height = boxes[:, 2] - boxes[:, 0]
    found: dict[int, tuple[int, float]] = {}
    for step in range(1, len(order)):
        here, there = boxes[:-step], boxes[step:]
        # the box below begins at most (1 - least) of the height of the one above below it
        near = (image[step:] == image[:-step]) & (there[:, 0] - here[:, 0] <= (1 - least) * height[:-step] + 1e-9)
        if not near.any():
            break
        rows = np.flatnonzero(near)
        overlap = _iou(here[rows], there[rows])
        for row, iou in zip(rows[overlap >= least].tolist(), overlap[overlap >= least].tolist(), strict=True):
            first, second = sorted((int(order[row]), int(order[row + step])))
            if second not in found or iou > found[second][1]:
                found[second] = first, iou
    return [(first, second, iou) for second, (first, iou) in sorted(found.items())]


def _iou(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) of (N, 4) boxes with their counterparts."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    both = np.maximum(sides, 0).prod(axis=1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    return both / (areas[0] + areas[1] - both)
