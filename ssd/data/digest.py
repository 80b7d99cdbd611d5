"""A fingerprint of a data set's annotations, to tell in a tracked run which data it saw."""

import hashlib

import numpy as np

from ssd.data.sample import Dataset


def annotation_digest(dataset: Dataset) -> str:
    """SHA-256, in hexadecimal, of class names, image ids and sizes, boxes, labels and flags, in order.

    Areas are left out: they follow from the boxes or concern the evaluation alone. Pixels are left out: reading all
    images would take minutes. The same on every platform (little-endian values).
    """
    digest = hashlib.sha256("\0".join(dataset.class_names).encode())
    for item in dataset.annotations:
        digest.update(f"\n{item.id}\0{item.height}\0{item.width}\0{len(item.labels)}\0".encode())
        digest.update(np.ascontiguousarray(item.boxes, "<f4").tobytes())
        digest.update(np.ascontiguousarray(item.labels, "<i4").tobytes())
        digest.update(np.ascontiguousarray(item.difficult, np.bool_).tobytes())
        digest.update(np.ascontiguousarray(item.crowd, np.bool_).tobytes())
    return digest.hexdigest()


def dataset_label(dataset: Dataset) -> str:
    """Which data it is, in short: the name without the split, and the beginning of the digest: "bccd 3f2a91"."""
    name = dataset.name.partition(":")[0].replace("'", "")  # which ends a text in MLflow's filters
    return f"{name} {annotation_digest(dataset)[:6]}"
