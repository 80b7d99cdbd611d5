"""Classes by their names and by how many objects they have."""

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ssd.data.oddities import NO_CLASS
from ssd.data.sample import Splits
from ssd.inspection.finding import Finding, Shown
from ssd.inspection.objects import Objects, counts_of

_FEW = 10  # objects to train on: fine-tuning needs some dozens, and an AP of fewer than ten objects is a lottery
_MISSPELT = 0.85  # likeness of two names (difflib) ...
_RARE = 0.05  # ... of which one has at most this share of the other's objects: car and cart are both frequent
_SHOWN = 3  # objects of the rarer of two classes


def check_classes(splits: Splits, objects: Sequence[Objects]) -> list[Finding]:
    """Findings on names that are alike or mean nothing, and on classes with few objects or in one split only.

    Args:
        splits: of the data set.
        objects: of the training and of the validation split.
    """
    names = splits.train.class_names
    train, val = (counts_of(part, len(names)) for part in objects)
    total = train if splits.train is splits.val else train + val
    doubtful = {label for label, name in enumerate(names) if name.strip(" _").lower() in NO_CLASS}
    findings = [
        Finding(
            "class-background",
            f"A class is named {names[label]!r}, and is learned as objects of that name.",
            shown=_examples(splits, objects, label),
        )
        for label in sorted(doubtful)
    ]
    for one, other in combinations(range(len(names)), 2):
        if reason := _alike(names[one], names[other], int(total[one]), int(total[other])):
            rarer = min(one, other, key=lambda label: total[label])
            doubtful.add(rarer)
            text = f"{names[one]!r} ({total[one]} objects) and {names[other]!r} ({total[other]}) {reason}."
            findings.append(Finding("class-alike", text, shown=_examples(splits, objects, rarer)))
    return [*findings, *_counts(splits, objects, train, val, doubtful)]


def _alike(one: str, other: str, count: int, other_count: int) -> str:
    """Why two names may mean one class; empty where they may not."""
    if _bare(one) == _bare(other):
        return "differ only in capitals, blanks or signs"
    if _singular(one) == _singular(other):
        return "differ only in being one or many"
    few, many = sorted((count, other_count))
    if not 0 < few <= _RARE * many:
        return ""
    alike = SequenceMatcher(None, _bare(one), _bare(other)).ratio() >= _MISSPELT
    return "are nearly the same word, and one is rare" if alike else ""


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold())


def _singular(name: str) -> str:
    return re.sub(r"(?<=\w\w)(es|s)$", "", _bare(name))


def _counts(
    splits: Splits,
    objects: Sequence[Objects],
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    doubtful: Collection[int],
) -> list[Finding]:
    """On the numbers of objects of each class but the doubtful ones, whose name is what is wrong."""
    findings = [
        Finding("split-without-objects", f"No image of {part.name} has an object that is no crowd.")
        for part, counts in ((splits.train, train), (splits.val, val))
        if not counts.any()
    ]
    if findings:
        return findings
    for label, name in enumerate(splits.train.class_names):
        if label in doubtful:
            continue
        here, there = int(train[label]), int(val[label])
        if not here and not there:
            findings.append(Finding("class-without-objects", f"{name} has no objects."))
        elif not here:
            text = f"{name} has {there} objects in {splits.val.name} and none in {splits.train.name}."
            findings.append(Finding("class-only-in-val", text, shown=_examples(splits, objects, label)))
        elif here and not there:
            text = f"{name} has {here} objects in {splits.train.name} and none in {splits.val.name}."
            findings.append(Finding("class-only-in-train", text, shown=_examples(splits, objects, label)))
        if 0 < here < _FEW:
            findings.append(Finding("class-rare", f"{name} has {here} objects in {splits.train.name}."))
    return findings


def _examples(splits: Splits, objects: Sequence[Objects], label: int) -> list[Shown]:
    return [
        Shown(part.name, int(columns.image[i]), (int(columns.row[i]),))
        for part, columns in zip((splits.train, splits.val), objects, strict=True)
        for i in np.flatnonzero(columns.labels == label)[:_SHOWN].tolist()
    ][:_SHOWN]
