"""What of a data set is taken: its classes, its objects, how many of its images. Functions from Dataset to Dataset."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ssd.data.problems import Problem
from ssd.data.rows import take
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)

_NAMED = 5


def merges_of(classes: Any) -> dict[str, list[str]]:
    """What `dataset.classes` asks for: name to be → names in the data. A list keeps the names.

    >>> merges_of(["cat"]), merges_of({"pet": ["cat", "dog"], "car": "auto"})
    ({'cat': ['cat']}, {'pet': ['cat', 'dog'], 'car': ['auto']})

    Raises:
        UserError: there is no class, one is no name, or one is named twice.
    """
    listed = classes if isinstance(classes, list) else [classes]
    pairs = classes.items() if isinstance(classes, dict) else [(name, name) for name in listed]
    merges = {new: old if isinstance(old, list) else [old] for new, old in pairs}
    names = [name for olds in merges.values() for name in olds]
    if not merges or not all(merges.values()) or not all(isinstance(name, str) for name in [*merges, *names]):
        raise UserError(
            f"dataset.classes={classes} must name the classes to take, [cat,dog], or say what each is in the data, "
            "{pet:[cat,dog]}."
        )
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"dataset.classes names {twice[0]} twice: each class of the data can become only one.")
    return merges


def both(splits: Splits, change: Callable[[Dataset], Dataset]) -> Splits:
    """Both parts changed; a part that is train and val at once stays one."""
    train = change(splits.train)
    return replace(splits, train=train, val=train if splits.val is splits.train else change(splits.val))


def of_classes(dataset: Dataset, merges: Mapping[str, Sequence[str]]) -> Dataset:
    """The data set with the classes `merges` only, in that order; its images all stay.

    Objects of other classes are left out, and their number is said; an image of such objects alone is background.

    Raises:
        UserError: a name that the data set does not have.
    """
    new_label = np.full(len(dataset.class_names), -1, np.int32)
    for label, olds in enumerate(merges.values()):
        for old in olds:
            if old not in dataset.class_names:
                close = nearest(old, dataset.class_names)
                raise UserError(f"dataset.classes names {old}, which is no class of {dataset.name}{close}")
            new_label[dataset.class_names.index(old)] = label
    columns = dataset.columns
    labels = new_label[columns.labels]
    if out := int(np.count_nonzero(labels < 0)):
        log.info("%s: %d of %d objects are of classes that are not taken.", dataset.name, out, len(labels))
    annotations = replace(columns, labels=labels).select(labels >= 0)
    return replace(dataset, class_names=tuple(merges), annotations=annotations)


def ignoring(dataset: Dataset, difficult: bool, smaller_than: float) -> Dataset:
    """The data set with some objects ignored: like crowds never trained on, in evaluation neither required nor wrong.

    Args:
        dataset: whose `areas` decide.
        difficult: those that are marked so.
        smaller_than: pixels; those whose area is less than its square, as COCO counts sizes.
    """

    columns = dataset.columns
    out = (columns.areas < smaller_than**2) | (columns.difficult if difficult else False)
    if count := int(np.count_nonzero(out & ~columns.crowd)):
        log.info("%s: %d of %d objects are ignored.", dataset.name, count, len(out))
    return replace(dataset, annotations=replace(columns, crowd=columns.crowd | out))


def without_empty_classes(splits: Splits) -> Splits:
    """Both parts without the classes that have no object in either: a detector would learn never to find them.

    They are named in a warning, and among the problems. Where there is no object at all, the splits stay as they are.
    """
    shown = {label for part in (splits.train, splits.val) for label in np.unique(part.columns.labels).tolist()}
    names = splits.train.class_names
    empty = [name for label, name in enumerate(names) if label not in shown]
    if not empty or not shown:
        return splits
    problems = [
        Problem("class-without-objects", f"{name} is named by the data and has no objects.", "", left_out=False)
        for name in empty
    ]
    splits = replace(splits, problems=[*splits.problems, *problems])
    log.warning(
        "%s: %d of %d classes have no objects and are left out: %s; dataset.keep_empty_classes=true keeps them.",
        *(splits.train.name.partition(":")[0], len(empty), len(names)),
        ", ".join(empty[:_NAMED]) + (", ..." if len(empty) > _NAMED else ""),
    )
    merges = {name: [name] for name in names if name not in empty}
    return both(splits, lambda dataset: of_classes(dataset, merges))


def alike_classes(parts: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The parts of a data set with one list of classes: those of the first, then what only others have."""
    names = list(dict.fromkeys(name for part in parts.values() for name in part.class_names))
    return {key: _with_classes(part, names) for key, part in parts.items()}


def _with_classes(dataset: Dataset, names: Sequence[str]) -> Dataset:
    new_label = np.array([names.index(name) for name in dataset.class_names], np.int32)
    annotations = replace(dataset.columns, labels=new_label[dataset.columns.labels])
    return replace(dataset, class_names=tuple(names), annotations=annotations)


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """The data set with at most `limit` images, spread evenly over it: it may be sorted by class."""
    count = len(dataset)
    if limit is None or limit >= count:
        return dataset
    log.info("%s: %d of %d images are taken.", dataset.name, limit, count)
    return take(dataset, [row * count // limit for row in range(limit)])
