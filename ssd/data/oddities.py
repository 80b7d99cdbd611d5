"""What is odd in a data set but can be trained on: each kind is said once, with how often it is so."""

import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ssd.data.images import ImageFiles
from ssd.data.readers.files import FilesIn
from ssd.data.sample import Dataset, Splits

log = logging.getLogger(__name__)

NO_CLASS = ("background", "null", "none", "nothing", "n/a")
_NAMED = 5
_MIXED = np.random.default_rng(0).integers(2**62, size=(6, 1))  # weights of image, label and box in one number


def say_oddities(splits: Splits) -> None:
    """Warns of what is odd in the two splits of a data set, and in what they have in common."""
    _warn_of_names(splits.train.class_names, splits.train.name.partition(":")[0])
    parts = [splits.train] if splits.train is splits.val else [splits.train, splits.val]
    for dataset in parts:
        _warn_of_objects(dataset)
    _warn_of_shared_images(splits)
    _warn_of_classes_in_one_split(splits)


def _warn_of_names(class_names: Sequence[str], name: str) -> None:
    for class_name in class_names:
        if class_name.strip(" _").lower() in NO_CLASS:
            log.warning(
                "%s: a class is named %r, and is learned as objects of that name; the detector has a background of its "
                "own: if it marks places without objects, take it out of the annotations.",
                *(name, class_name),
            )
    alike = defaultdict[str, list[str]](list)
    for class_name in class_names:
        alike[" ".join(class_name.casefold().split())].append(class_name)
    if found := [" and ".join(map(repr, names)) for names in alike.values() if len(names) > 1]:
        log.warning("%s: %d classes differ only in capitals or blanks: %s.", name, len(found), _listed(found))


def _warn_of_objects(dataset: Dataset) -> None:
    columns = dataset.columns
    objects, crowds = len(columns.crowd), int(columns.crowd.sum())
    empty = int((columns.counts == 0).sum())
    if crowds == objects:
        what = f"all {crowds} objects are crowds, which are" if crowds else "no image has an object: there is"
        rest = "never trained on nor looked for" if crowds else "nothing to learn or to find"
        log.warning("%s: %s %s.", dataset.name, what, rest)
    elif empty:
        log.info("%s: %d of %d images have no objects; they are background.", dataset.name, empty, len(dataset))
    if len(twice := _repeated(dataset)):
        image, label = twice[0]
        log.warning(
            "%s: %d objects are there twice, with the same class and box in one image; the first is %s in %s.",
            *(dataset.name, len(twice), dataset.class_names[label], dataset.where(int(image))),
        )


def _repeated(dataset: Dataset) -> NDArray[np.int64]:
    """(N, 2) image and label of each object that has a twin before it in its image."""
    image, label = dataset.columns.images, dataset.columns.labels
    boxes = dataset.columns.boxes + np.float32(0)  # no -0
    # One number for all of it, as sorting by each column in turn takes seconds for COCO; neighbours are then compared.
    columns = np.stack([image, label, *boxes.view(np.int32).T.astype(np.int64)])
    order = np.argsort((columns * _MIXED).sum(axis=0), kind="stable")
    columns = columns[:, order]
    rows = np.sort(order[1:][(columns[:, 1:] == columns[:, :-1]).all(axis=0)])
    return np.stack([image[rows], label[rows]], axis=1).astype(np.int64)


def _warn_of_shared_images(splits: Splits) -> None:
    val = _files(splits.val)
    shared = sorted(_files(splits.train) & val)
    if shared:
        log.warning(
            "%d of the %d images of %s are in %s too, such as %s: the validation is not a fair one.",
            *(len(shared), len(val), splits.val.name, splits.train.name, os.path.basename(shared[0])),
        )


def _files(dataset: Dataset) -> set[str]:
    """The image files, their folders without links; where several images share a file their ids."""
    if not isinstance(dataset.read, ImageFiles):
        return set(dataset.columns.ids)
    real = cache(os.path.realpath)
    paths = dataset.read.paths
    parts = paths.split() if isinstance(paths, FilesIn) else map(os.path.split, paths)
    return {f"{real(folder)}{os.sep}{name}" for folder, name in parts}


def _warn_of_classes_in_one_split(splits: Splits) -> None:
    train, val = _counts(splits.train), _counts(splits.val)
    if not train.any() or not val.any():
        return  # said already
    if nowhere := [name for name, count in zip(splits.train.class_names, train + val, strict=True) if not count]:
        log.info("%d of %d classes have no objects at all: %s.", len(nowhere), len(train), _listed(nowhere))
    for here, there, counts, consequence in (
        (splits.val, splits.train, np.where(train == 0, val, 0), "they cannot be learned"),
        (splits.train, splits.val, np.where(val == 0, train, 0), "they are not measured"),
    ):
        if rows := np.flatnonzero(counts).tolist():
            named = [f"{here.class_names[row]} ({counts[row]})" for row in rows]
            log.warning(
                "%d of %d classes have objects in %s and none in %s: %s; %s.",
                *(len(rows), len(counts), here.name, there.name, _listed(named), consequence),
            )


def _counts(dataset: Dataset) -> NDArray[np.int64]:
    """(C,) objects of each class that are no crowds."""
    labels, crowd = dataset.columns.labels, dataset.columns.crowd
    return np.bincount(labels[~crowd], minlength=len(dataset.class_names))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
