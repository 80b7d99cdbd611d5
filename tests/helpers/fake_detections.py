"""Random objects and detections, for the tests of the metrics."""

import numpy as np

from ssd.data.sample import Annotation
from ssd.inference.detections import Detections


def random_set(
    seed: int, images: int = 15, classes: int = 4, ties: bool = False, most: int = 40
) -> tuple[list[Detections], list[Annotation]]:
    """Objects of all sizes, some crowds and difficult ones, detections near and astray; some images are empty.

    With `ties` scores have one digit, and all corners lie on multiples of 16 pixels of images whose sides are powers of
    two: then IoUs often equal each other, a threshold, or an area 32x32 or 96x96, exactly.
    """
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for index in range(images):
        height, width = (int(side) for side in (2 ** rng.integers(7, 10, 2) if ties else rng.integers(100, 500, 2)))
        grid = np.array([height, width] * 2) / 16

        def placed(boxes, grid=grid):
            return np.round(boxes * grid) / grid if ties else boxes

        count = rng.integers(0, 6)
        sides = rng.uniform(0.02, 0.7, (count, 2))
        corner = rng.uniform(0, 1 - sides)
        boxes = placed(np.concatenate([corner, corner + sides], axis=1))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + (1 / grid[:2] if ties else 0))
        labels = rng.integers(0, classes, count).astype(np.int32)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * height * width
        areas *= 1 if ties else rng.uniform(0.5, 1, count)
        difficult, crowd = rng.random(count) < 0.2, rng.random(count) < 0.2
        annotations.append(
            Annotation(
                str(index),
                height,
                width,
                boxes.astype(np.float32),
                labels,
                difficult,
                crowd,
                areas.astype(np.float32),
            )
        )
        near = rng.integers(0, count, rng.integers(0, most)) if count else np.zeros(0, np.int64)
        moved = placed(boxes[near] + rng.normal(0, 0.03, (len(near), 4)))
        found = np.concatenate([np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])], axis=1)
        scores = rng.random(len(near))
        scores = np.sort(np.round(scores, 1) if ties else scores)[::-1]
        guess = np.where(rng.random(len(near)) < 0.7, labels[near], rng.integers(0, classes, len(near)))
        detections.append(
            Detections(found.astype(np.float32), guess.astype(np.int32), np.ascontiguousarray(scores, np.float32))
        )
    return detections, annotations
