"""A fingerprint of a data set's annotations, to tell in a tracked run which data it saw."""

import hashlib
from itertools import pairwise

import numpy as np

from ssd.data.sample import Dataset


def annotation_digest(dataset: Dataset) -> str:
    """SHA-256, in hexadecimal, of class names, image ids and sizes, boxes, labels and flags, in order.

    Areas are left out: they follow from the boxes or concern the evaluation alone. Pixels are left out: reading all
    images would take minutes. The same on every platform (little-endian values).
    """
    digest = hashlib.sha256("\0".join(dataset.class_names).encode())
    found = dataset.columns
    columns = [
        memoryview(np.ascontiguousarray(column, kind).tobytes())
        for column, kind in ((found.boxes, "<f4"), (found.labels, "<i4"), (found.difficult, "?"), (found.crowd, "?"))
    ]
    widths = (16, 4, 1, 1)  # bytes of an object in each
    bounds = pairwise(found.starts.tolist())
    for name, (height, width), (begin, end) in zip(found.ids, found.sizes.tolist(), bounds, strict=True):
        digest.update(f"\n{name}\0{height}\0{width}\0{end - begin}\0".encode())
        for column, size in zip(columns, widths, strict=True):
            digest.update(column[size * begin : size * end])
    return digest.hexdigest()


def dataset_label(dataset: Dataset) -> str:
    """Which data it is, in short: the name without the split, and the beginning of the digest: "bccd 3f2a91"."""
    name = dataset.name.partition(":")[0].replace("'", "")  # which ends a text in MLflow's filters
    return f"{name} {annotation_digest(dataset)[:6]}"
