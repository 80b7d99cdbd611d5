"""A validation part where a data set has none: seeded, stratified by class, groups of like images kept whole."""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError

_PARTS = 8  # a group larger than this share of the smaller part is cut


def divide(
    names: Sequence[str], classes: Sequence[Collection[str]], groups: NDArray[np.int64], fraction: float, seed: int
) -> list[int]:
    """Rows of the part to validate on, ascending: the same for the same names, whatever their order.

    Iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011) over groups: the rarest class first, each group of it
    goes to the part that still wants most of that class; images without objects are a class of their own. A class that
    is in two groups is in both parts. A group that is too large to be on one side, as all frames of a fixed camera are,
    is cut into runs in the order of names.

    Args:
        names: of the images, unique.
        classes: of each image, those that it has objects of.
        groups: (N,) number of each image's group.
        fraction: of the images to validate on.
        seed: of the order among equals.

    Raises:
        UserError: fewer than two images, or a fraction that is none.
    """
    if not 0 < fraction < 1:
        raise UserError(f"dataset.val_fraction={fraction:g} must lie between 0 and 1, both excluded.")
    if len(names) < 2:
        raise UserError(f"There is {len(names)} image to train and validate on: a split needs at least two.")
    members = _cut(_grouped(names, groups), max(round(len(names) * min(fraction, 1 - fraction) / _PARTS), 1))
    members = [members[i] for i in np.random.default_rng(seed).permutation(len(members)).tolist()]
    held = [[name for row in group for name in (classes[row] or ("",))] for group in members]  # "": no objects
    count: dict[str, int] = {}
    spread: dict[str, int] = {}
    for listed in held:
        for name in listed:
            count[name] = count.get(name, 0) + 1
        for name in set(listed):
            spread[name] = spread.get(name, 0) + 1
    # What the validation still wants of each class, and of images; at least one where two groups have the class.
    wanted = {name: max(fraction * count[name], 1.0) if spread[name] > 1 else 0.0 for name in count}
    room = max(fraction * len(names), 1.0)
    left = dict(count)
    images_left, is_val = len(names), [False] * len(members)
    open_groups = dict.fromkeys(range(len(members)))
    by_class: dict[str, list[int]] = {name: [] for name in count}
    for number, listed in enumerate(held):
        for name in set(listed):
            by_class[name].append(number)
    for rare in sorted(count, key=lambda name: (count[name], name)):
        for number in by_class[rare]:
            if number not in open_groups:
                continue
            del open_groups[number]
            rest = left[rare] - wanted[rare]  # what the training still wants
            share = (wanted[rare] / fraction, room / fraction)
            is_val[number] = share > (rest / (1 - fraction), (images_left - room) / (1 - fraction))
            for name in held[number]:
                left[name] -= 1
                wanted[name] -= is_val[number]
            images_left -= len(members[number])
            room -= len(members[number]) * is_val[number]
    if all(is_val) or not any(is_val):  # two or three groups
        is_val[0] = not is_val[0]
    return sorted(row for number, group in enumerate(members) if is_val[number] for row in group)


def _grouped(names: Sequence[str], groups: NDArray[np.int64]) -> list[list[int]]:
    """Rows of each group in the order of names, groups in that of their first."""
    found: dict[int, list[int]] = {}
    for row in sorted(range(len(names)), key=names.__getitem__):
        found.setdefault(int(groups[row]), []).append(row)
    return list(found.values())


def _cut(members: Sequence[list[int]], most: int) -> list[list[int]]:
    """Groups in runs of equal length, of which none has more than `most` rows."""
    runs: list[list[int]] = []
    for group in members:
        runs += [part.tolist() for part in np.array_split(group, -(-len(group) // most))]
    return runs
