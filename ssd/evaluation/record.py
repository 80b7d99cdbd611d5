"""What a detector found in a validation split, kept in the run's folder: runs are compared without running networks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ssd.data.annotations import Annotations
from ssd.data.arrays import annotations_in, as_arrays, texts_as_array, texts_in
from ssd.data.sample import Dataset
from ssd.inference.detections import Detections
from ssd.runs.arrays_file import arrays_in, write_arrays


@dataclass(frozen=True, eq=False)
class Judged:
    """A validation.

    Attributes:
        class_names: in label order.
        annotations: of its images.
        detections: one per image, with all that the decoder keeps.
        weights: which weights found them (`ssd.models.weights_digest`); empty where that is not known.
    """

    class_names: tuple[str, ...]
    annotations: Annotations
    detections: Sequence[Detections]
    weights: str = ""


def judged_of(dataset: Dataset, detections: Sequence[Detections], weights: str) -> Judged:
    """What was found in the first images of a data set, which mostly are all."""
    annotations = Annotations.of(dataset.annotations[: len(detections)])
    return Judged(dataset.class_names, annotations, detections, weights)


def write_judged(path: Path, judged: Judged) -> None:
    """Writes a validation, an .npz of about 20 bytes for each detection and object."""
    found = judged.detections
    arrays = {
        "classes": texts_as_array(judged.class_names),
        **as_arrays(judged.annotations, "true/"),
        "found/starts": np.cumsum([0, *map(len, found)], dtype=np.int64),
        "found/boxes": np.concatenate([np.zeros((0, 4), np.float32), *(item.boxes for item in found)]),
        "found/labels": np.concatenate([np.zeros(0, np.int32), *(item.labels for item in found)]),
        "found/scores": np.concatenate([np.zeros(0, np.float32), *(item.scores for item in found)]),
    }
    write_arrays(path, {"weights": judged.weights}, arrays)


def read_judged(path: Path) -> Judged:
    """The validation in a file.

    Raises:
        UserError: it is damaged.
    """
    with arrays_in(path) as (head, arrays):
        classes = tuple(texts_in(arrays["classes"]))
        annotations = annotations_in(arrays, "true/", len(classes))
        starts, boxes, labels, scores = (arrays[f"found/{name}"] for name in ("starts", "boxes", "labels", "scores"))
        _check(starts, labels, scores, len(annotations), len(classes))
        ranges = zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
        found = [Detections(boxes[begin:end], labels[begin:end], scores[begin:end]) for begin, end in ranges]
        return Judged(classes, annotations, found, str(head["weights"]))


def paired_with(judged: Judged, other: Judged) -> Judged | None:
    """A validation with its images and classes in the order of another one; None where these are not the same."""
    if sorted(judged.class_names) != sorted(other.class_names):
        return None
    judged = _with_classes(judged, other.class_names)
    if have_same_objects(judged.annotations, other.annotations):
        return judged
    places = {name: place for place, name in enumerate(judged.annotations.ids)}
    if places.keys() != set(other.annotations.ids) or len(places) != len(judged.detections):
        return None
    order = [places[name] for name in other.annotations.ids]
    annotations = Annotations.of([judged.annotations[place] for place in order])
    if not have_same_objects(annotations, other.annotations):
        return None
    return replace(judged, annotations=annotations, detections=[judged.detections[place] for place in order])


def have_same_objects(one: Annotations, other: Annotations) -> bool:
    """Whether two are the same images in the same order with the same objects in any, whatever the images' names."""
    if not all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("sizes", "starts")):
        return False
    orders = [np.lexsort((*side.boxes.T, side.labels, side.images)) for side in (one, other)]
    columns = ("labels", "boxes", "difficult", "crowd")
    return all(np.array_equal(getattr(one, name)[orders[0]], getattr(other, name)[orders[1]]) for name in columns)


def _with_classes(judged: Judged, class_names: tuple[str, ...]) -> Judged:
    if judged.class_names == class_names:
        return judged
    order = np.array([class_names.index(name) for name in judged.class_names], np.int32)
    return replace(
        judged,
        class_names=class_names,
        annotations=replace(judged.annotations, labels=order[judged.annotations.labels]),
        detections=[replace(found, labels=order[found.labels]) for found in judged.detections],
    )


def _check(
    starts: NDArray[np.int64], labels: NDArray[np.int32], scores: NDArray[np.float32], images: int, classes: int
) -> None:
    if starts.shape != (images + 1,) or starts[0] != 0 or starts[-1] != len(labels) or (np.diff(starts) < 0).any():
        raise ValueError("its detections are not those of its images")
    if labels.dtype != np.int32 or scores.dtype != np.float32 or not ((labels >= 0) & (labels < classes)).all():
        raise ValueError("a detection has a label or score that is none")
