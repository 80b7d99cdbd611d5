"""Overlaps between the detections and the objects of one image, on the image's pixels."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation

MATCH_IOU = 0.5  # of a detection with its object, from which it is right
_GRID = 1024  # boxes are placed on 1/1024 of a pixel, which gives back the annotated pixel exactly


class Overlaps(NamedTuple):
    """Of D detections and N objects.

    Attributes:
        iou: (D, N) float64, intersection over union.
        coverage: (D, N) float64, intersection over the detection's own area, which COCO uses for crowds.
    """

    iou: NDArray[np.float64]
    coverage: NDArray[np.float64]


def pixel_boxes(boxes: NDArray[np.float32], annotation: Annotation) -> NDArray[np.float64]:
    """Turns (N, 4) normalised ymin, xmin, ymax, xmax into pixels of the image the annotation describes.

    The result is rounded to 1/1024 pixel. A corner annotated at a whole pixel loses up to 3e-8 of the image's side as a
    normalised float32; rounding restores it, so that an IoU of exactly one half is one half here too.
    """
    size = np.array([annotation.height, annotation.width] * 2, np.float64)
    return np.round(boxes.astype(np.float64).reshape(-1, 4) * size * _GRID) / _GRID


def overlaps(boxes: NDArray[np.float32], annotation: Annotation) -> Overlaps:
    """Overlaps of (D, 4) normalised detected boxes with the annotation's N boxes.

    The devkit of Pascal VOC (`VOCevaldet.m`) adds one pixel to each side because its corners are the first and the last
    pixel, counted from 1. Here, and in tensorflow-datasets, a box starts at (xmin - 1) / width and ends at
    xmax / width: its sides already include that pixel, nothing is added, and the IoU is the devkit's.
    """
    detected, objects = pixel_boxes(boxes, annotation)[:, None], pixel_boxes(annotation.boxes, annotation)[None]
    sides = np.minimum(detected[..., 2:], objects[..., 2:]) - np.maximum(detected[..., :2], objects[..., :2])
    intersection = _area(np.maximum(sides, 0.0))
    area = _area(np.maximum(detected[..., 2:] - detected[..., :2], 0.0))
    union = area + _area(objects[..., 2:] - objects[..., :2]) - intersection
    return Overlaps(_ratio(intersection, union), _ratio(intersection, np.broadcast_to(area, intersection.shape)))


def _area(sides: NDArray[np.float64]) -> NDArray[np.float64]:
    """(..., 2) → (...); over an axis of two np.prod takes several times as long."""
    return sides[..., 0] * sides[..., 1]


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """part / whole, 0 where the whole is empty: a detection without area overlaps nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
