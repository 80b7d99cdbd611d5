"""Which detections COCO counts as right, wrong or ignored (pycocotools, `COCOeval.evaluateImg`), on arrays."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.inference.detections import Detections

IOUS = np.linspace(0.5, 0.95, 10)
AREAS = np.array([[0.0, 1e5**2], [0.0, 32.0**2], [32.0**2, 96.0**2], [96.0**2, 1e5**2]])  # all, small, medium, large
MOST = 100  # detections that count per image and class
WRONG, RIGHT, IGNORED = range(3)
_BEST_IOU = 1 - 1e-10  # pycocotools lets no threshold ask for more


class GroundTruth(NamedTuple):
    """All N objects of a set, class by class, and image by image within a class.

    Attributes:
        group: (N,) int64, class · images + image, rising.
        boxes: (N, 4) float64 x, y, width, height in pixels.
        crowd: (N,) bool.
        ignored: (N, 4) bool, per area range: a crowd, or an object of another size.
    """

    group: NDArray[np.int64]
    boxes: NDArray[np.float64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]


class Found(NamedTuple):
    """All N detections that count, class by class, image by image within a class, best first within an image.

    Attributes:
        group: (N,) int64, class · images + image, rising.
        boxes: (N, 4) float64 x, y, width, height in pixels.
        scores: (N,) float32.
        rank: (N,) int64, 0 for the best of its image and class; below `MOST`.
    """

    group: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float32]
    rank: NDArray[np.int64]


def collect_objects(annotations: Sequence[Annotation]) -> GroundTruth:
    """The objects of one annotation per image."""
    group = _groups([annotation.labels for annotation in annotations])
    order = np.argsort(group, kind="stable")
    boxes = _coco_boxes([annotation.boxes for annotation in annotations], annotations)
    crowd = _joined([annotation.crowd for annotation in annotations], np.bool_)
    area = _joined([annotation.areas for annotation in annotations], np.float64)
    return GroundTruth(group[order], boxes[order], crowd[order], (crowd[:, None] | _outside(area))[order])


def collect_found(detections: Sequence[Detections], annotations: Sequence[Annotation]) -> Found:
    """The best `MOST` detections of every image and class; equal scores keep the order they are given in."""
    group = _groups([found.labels for found in detections])
    scores = _joined([found.scores for found in detections], np.float32)
    order = np.lexsort((-scores, group))
    group = group[order]
    rank = np.arange(len(group)) - np.searchsorted(group, group)
    counts = rank < MOST
    order = order[counts]
    boxes = _coco_boxes([found.boxes for found in detections], annotations)
    return Found(group[counts], boxes[order], scores[order], rank[counts])


def match(found: Found, objects: GroundTruth) -> NDArray[np.int8]:
    """(N, 4, 10) WRONG, RIGHT or IGNORED: every detection, for every area range and IoU threshold.

    Within an image and class the best detection chooses first. It takes the free object of highest IoU, if that reaches
    the threshold (of equal ones the last), and only where there is none an ignored one; crowds are never used up.
    Detections that take nothing are wrong, or ignored where their own size is out of the range.

    Images with equally many objects of a class are worked on together, and of each the k-th detection at once.
    """
    outside = _outside(found.boxes[:, 2] * found.boxes[:, 3])
    outcome = np.where(outside[:, :, None], IGNORED, WRONG).astype(np.int8).repeat(len(IOUS), axis=2)
    groups, first_found, detections = np.unique(found.group, return_index=True, return_counts=True)
    object_groups, first_object, sizes = np.unique(objects.group, return_index=True, return_counts=True)
    _, of_found, of_objects = np.intersect1d(groups, object_groups, assume_unique=True, return_indices=True)
    most_first = np.argsort(-detections[of_found], kind="stable")
    of_found, of_objects = of_found[most_first], of_objects[most_first]
    for size in np.unique(sizes[of_objects]):
        chosen = sizes[of_objects] == size
        rows = first_object[of_objects[chosen], None] + np.arange(size)
        _match_images(found, objects, first_found[of_found[chosen]], detections[of_found[chosen]], rows, outcome)
    return outcome


def _match_images(
    found: Found,
    objects: GroundTruth,
    first: NDArray[np.int64],
    detections: NDArray[np.int64],
    rows: NDArray[np.int64],
    outcome: NDArray[np.int8],
) -> None:
    """Writes the outcome of matching the detections of one class in n images that each have G objects of it.

    Args:
        found, objects: of the whole set.
        first: (n,) the images' best detections in `found`.
        detections: (n,) how many detections follow from there on, falling.
        rows: (n, G) the images' objects in `objects`.
        outcome: (N, 4, 10) of the whole set.
    """
    boxes, crowd = objects.boxes[rows], objects.crowd[rows]
    ignored = objects.ignored[rows].transpose(0, 2, 1)[:, :, None]  # (n, 4, 1, G)
    reusable = crowd[:, None, None]
    free = np.ones((len(rows), len(AREAS), len(IOUS), rows.shape[1]), np.bool_)
    thresholds = np.minimum(IOUS, _BEST_IOU)[:, None]
    for rank in range(int(detections[0])):
        n = int(np.searchsorted(-detections, -rank))  # the images that have so many
        iou = _iou(found.boxes[first[:n] + rank, None], boxes[:n], crowd[:n])[:, None, None]
        possible = (iou >= thresholds) & free[:n]  # (n, 4, 10, G)
        required = possible & ~ignored[:n]
        finds_required = np.any(required, axis=-1)
        wanted = np.where(finds_required[..., None], required, possible)
        best = np.where(wanted, iou, -1.0)
        last = rows.shape[1] - 1 - np.argmax(best[..., ::-1], axis=-1)
        taken = wanted & (np.arange(rows.shape[1]) == last[..., None])
        free[:n] &= ~taken | reusable[:n]
        of_ignored = np.where(np.any(possible, axis=-1), IGNORED, outcome[first[:n] + rank])
        outcome[first[:n] + rank] = np.where(finds_required, RIGHT, of_ignored)


def _iou(found: NDArray[np.float64], objects: NDArray[np.float64], crowd: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n, 1, 4) and (n, G, 4) x, y, width, height → (n, G), in the order of operations of pycocotools' `bbIou`.

    The union with a crowd is the detection alone.
    """
    ends = np.minimum(found[..., 2:] + found[..., :2], objects[..., 2:] + objects[..., :2])
    sides = ends - np.maximum(found[..., :2], objects[..., :2])
    overlap = np.where((sides > 0.0).all(axis=-1), sides[..., 0] * sides[..., 1], 0.0)
    area = found[..., 2] * found[..., 3]
    union = np.where(crowd, area, area + objects[..., 2] * objects[..., 3] - overlap)
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=overlap > 0.0)


def _outside(area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N, 4) whether areas in square pixels lie outside the ranges; both ends belong to a range."""
    return (area[:, None] < AREAS[:, 0]) | (area[:, None] > AREAS[:, 1])


def _groups(labels: Sequence[NDArray[np.int32]]) -> NDArray[np.int64]:
    """Class · images + image of every entry of `labels`, which has one array per image."""
    image = np.repeat(np.arange(len(labels)), [len(of_image) for of_image in labels])
    return _joined(labels, np.int64) * len(labels) + image


def _joined(arrays: Sequence[NDArray], dtype: type) -> NDArray:
    return np.concatenate([np.zeros(0, dtype), *arrays]).astype(dtype)


def _coco_boxes(boxes: Sequence[NDArray[np.float32]], annotations: Sequence[Annotation]) -> NDArray[np.float64]:
    """(N, 4) float64 x, y, width, height in pixels, from normalised ymin, xmin, ymax, xmax per image."""
    sizes = np.array([(annotation.height, annotation.width) * 2 for annotation in annotations], np.float64)
    corners = np.concatenate([np.zeros((0, 4), np.float32), *boxes]).astype(np.float64)
    corners *= sizes.reshape(-1, 4).repeat([len(of_image) for of_image in boxes], axis=0)
    return np.concatenate([corners[:, 1::-1], corners[:, :1:-1] - corners[:, 1::-1]], axis=1)
