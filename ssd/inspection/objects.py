"""All objects of a data set as columns, and how findings speak of them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Dataset
from ssd.inspection.finding import Finding, Shown


class Objects(NamedTuple):
    """N objects in the order of the images.

    Attributes:
        image: (N,) int64, index of their image.
        row: (N,) int64, their place in it.
        boxes: (N, 4) float32, normalised ymin, xmin, ymax, xmax.
        labels: (N,) int32.
        crowd: (N,) bool.
        sizes: (N, 2) float64, height and width of their image in pixels.
    """

    image: NDArray[np.int64]
    row: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    crowd: NDArray[np.bool_]
    sizes: NDArray[np.float64]


def objects_of(dataset: Dataset) -> Objects:
    """The objects of all images."""
    columns = dataset.columns
    image = columns.images
    return Objects(
        image,
        np.arange(len(image)) - columns.starts[image],
        columns.boxes,
        columns.labels,
        columns.crowd,
        columns.sizes[image].astype(np.float64),
    )


def counts_of(objects: Objects, classes: int) -> NDArray[np.int64]:
    """(C,) objects of each class that are no crowds."""
    return np.bincount(objects.labels[~objects.crowd], minlength=classes)


def found_in(
    kind: str, dataset: Dataset, objects: Objects, text: str, rows: Any, others: tuple[int, ...] = ()
) -> Finding:
    """A finding on object `rows`, an index into the columns, beside other ones of the same image."""
    image, row = int(objects.image[rows]), int(objects.row[rows])
    shown = Shown(dataset.name, image, (row, *(int(objects.row[other]) for other in others)))
    name = dataset.class_names[objects.labels[rows]]
    return Finding(kind, f"Object {row + 1} ({name}) {text}", dataset.where(image), row + 1, (shown,))
