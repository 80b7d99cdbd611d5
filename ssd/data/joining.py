"""Data sets put together, and folders of images without objects added to one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from ssd.data.images import ImageFiles, image_size
from ssd.data.problems import Problems
from ssd.data.rows import concatenated
from ssd.data.sample import Annotation, Dataset, Splits
from ssd.data.suffixes import IMAGE_SUFFIXES, UNREAD_SUFFIXES, files_ending, say_unread
from ssd.errors import UserError

NEGATIVES = "negatives:"  # stands before the names of images that `with_negatives` adds


def joined(parts: Mapping[str, Splits], weights: Mapping[str, float], name: str) -> Splits:
    """One data set of several, with the classes of all: those of one name are one class.

    Args:
        parts: name → data set; the names stand before those of their images.
        weights: part → how often an image of it is trained on, relative to the others: 1 where nothing is said.
        name: of the whole.

    Raises:
        UserError: there is no part, or a weight of none or of another kind.
    """
    if not parts:
        raise UserError("dataset.parts is empty: it needs the data sets that are to be joined.")
    for part, weight in weights.items():
        if part not in parts or not isinstance(weight, int | float) or not 0.01 <= weight <= 100:
            raise UserError(
                f"dataset.weights has {part}: {weight}; it takes a number between 0.01 and 100 for each of the parts "
                f"{', '.join(parts)}."
            )
    names = tuple(dict.fromkeys(name for part in parts.values() for name in part.train.class_names))
    train = [_prefixed(_as_classes(splits.train, names), part) for part, splits in parts.items()]
    val = [_prefixed(_as_classes(splits.val, names), part) for part, splits in parts.items()]
    if weights:
        each = [float(weights.get(part, 1)) for part in parts]
        train = [replace(data, weights=np.full(len(data), weight)) for data, weight in zip(train, each, strict=True)]
    problems = [problem for splits in parts.values() for problem in splits.problems]
    return Splits(concatenated(train, f"{name}:train"), concatenated(val, f"{name}:val"), problems)


def with_negatives(dataset: Dataset, folder: str, problems: Problems) -> Dataset:
    """The data set with all images in a folder, and in its folders, as images without objects.

    Args:
        dataset: what is trained on.
        folder: holds them.
        problems: takes those whose header cannot be read.

    Raises:
        UserError: it is no folder, has no image, or one whose header cannot be read and `problems` does not skip.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise UserError(f"dataset.negatives={folder} is not a folder: give one of images without objects.")
    say_unread(files_ending(root, UNREAD_SUFFIXES))
    files = files_ending(root, IMAGE_SUFFIXES)
    if not files:
        raise UserError(f"dataset.negatives={folder} holds no image: give a folder of images without objects.")
    sizes: dict[Path, tuple[int, int]] = {}
    for file in files:
        with problems.trying("image-unreadable", file):
            sizes[file] = image_size(file)
    annotations = [_empty(f"{NEGATIVES}{file.relative_to(root).as_posix()}", *size) for file, size in sizes.items()]
    negatives = Dataset(dataset.name, dataset.class_names, annotations, ImageFiles(list(sizes)))
    return concatenated([dataset, negatives], dataset.name)


def _as_classes(dataset: Dataset, names: tuple[str, ...]) -> Dataset:
    order = np.array([names.index(name) for name in dataset.class_names], np.int32)
    columns = dataset.columns
    return replace(dataset, class_names=names, annotations=replace(columns, labels=order[columns.labels]))


def _prefixed(dataset: Dataset, part: str) -> Dataset:
    """With ids that no other part has."""
    columns = dataset.columns
    return replace(dataset, annotations=replace(columns, ids=[f"{part}/{name}" for name in columns.ids]))


def _empty(name: str, height: int, width: int) -> Annotation:
    none = np.zeros(0, np.bool_)
    boxes, areas = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    return Annotation(name, height, width, boxes, np.zeros(0, np.int32), none, none, areas)
