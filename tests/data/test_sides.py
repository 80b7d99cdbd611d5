"""How many objects are small in their images."""

from dataclasses import replace

import numpy as np

from helpers.samples import make_sample
from ssd.data.sample import Dataset
from ssd.data.sides import share_smaller


def dataset(*objects: tuple[float, float, int, bool]) -> Dataset:
    """One image with objects of height, width, label and crowd."""
    boxes = [(0.0, 0.0, height, width) for height, width, _, _ in objects]
    labels = np.array([label for _, _, label, _ in objects], np.int32)
    crowd = np.array([crowd for *_, crowd in objects], bool)
    annotation = replace(make_sample(boxes).annotation, labels=labels, crowd=crowd)
    return Dataset("toy", ("a", "b"), [annotation], lambda _: b"")


def test_each_class_counts_alike() -> None:
    large, small, flat = (0.5, 0.5, 0, False), (0.1, 0.1, 1, False), (0.4, 0.1, 0, False)  # the last one's side is 0.2
    assert share_smaller(dataset(large, large, large, small), 0.2) == 0.5
    assert share_smaller(dataset(large, flat), 0.19) == 0
    assert share_smaller(dataset(large, flat), 0.21) == 0.5


def test_crowds_are_no_objects() -> None:
    assert share_smaller(dataset((0.5, 0.5, 0, False), (0.1, 0.1, 0, True)), 0.2) == 0
    assert share_smaller(dataset((0.1, 0.1, 0, True)), 0.2) == 0
