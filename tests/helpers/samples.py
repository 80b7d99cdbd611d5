"""Samples with painted objects, and what must hold of every augmented one."""

from collections.abc import Sequence

import numpy as np

from ssd.data.sample import Annotation, Sample

THREE = ((0.1, 0.2, 0.3, 0.4), (0.5, 0.5, 1.0, 0.9), (0.0, 0.5, 0.4, 1.0))
COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


def make_sample(objects: Sequence[Sequence[float]] = THREE, height: int = 40, width: int = 60) -> Sample:
    """Objects painted as rectangles, each in a colour of its own; flags differ, so that mixing them up shows."""
    count = len(objects)
    boxes = np.array(objects, np.float32).reshape(-1, 4)
    image = np.full((height, width, 3), 128, np.uint8)
    for row, (ymin, xmin, ymax, xmax) in enumerate(boxes * np.array([height, width] * 2)):
        image[round(ymin) : round(ymax), round(xmin) : round(xmax)] = COLOURS[row % 3]
    order = np.arange(count)
    annotation = Annotation(
        id="sample",
        height=height,
        width=width,
        boxes=boxes,
        labels=order.astype(np.int32) + 10,
        difficult=order == 1,
        crowd=order == 2,
        areas=np.full(count, 5, np.float32),
    )
    return Sample(image, annotation)


def assert_same(one: Sample, other: Sample) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    for field in ("boxes", "labels", "difficult", "crowd", "areas"):
        np.testing.assert_array_equal(getattr(one.annotation, field), getattr(other.annotation, field))


def assert_valid(sample: Sample) -> None:
    annotation = sample.annotation
    assert sample.image.dtype == np.uint8
    assert sample.image.shape == (annotation.height, annotation.width, 3)
    boxes = annotation.boxes
    assert boxes.dtype == np.float32
    assert boxes.shape == (len(annotation.labels), 4)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    sides = (boxes[:, 2:] - boxes[:, :2]) * [annotation.height, annotation.width]
    np.testing.assert_allclose(annotation.areas, sides.prod(axis=1), rtol=1e-5)
    arrays: list[np.ndarray] = [annotation.labels, annotation.difficult, annotation.crowd, annotation.areas]
    for values, dtype in zip(arrays, (np.int32, bool, bool, np.float32), strict=True):
        assert values.dtype == dtype
        assert values.shape == (len(boxes),)
