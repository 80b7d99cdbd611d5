"""Priors of conf/detector/*.yaml against Caffe's layer, written down plainly, and against torchvision's generator.

The sizes are those of Caffe's `ssd_pascal.py` and `ssd_coco.py`: whole per cents of the image, evenly spaced from
`min_ratio` to 90 after a first size of its own. The layer (prior_box_layer.cpp) keeps them as integers, so that Caffe's
SSD512 has priors of 35 pixels where its script, lufficc and this project say 35.84; SSD300's sizes are whole pixels.
"""

from math import floor, sqrt

import numpy as np
import pytest

from parity.detectors import detector
from parity.differences import largest_difference
from parity.inputs import REFERENCES
from ssd.boxes import centers_to_corners

MAPS = {300: [38, 19, 10, 5, 3, 1], 512: [64, 32, 16, 8, 4, 2, 1]}
STEPS = {300: [8, 16, 32, 64, 100, 300], 512: [8, 16, 32, 64, 128, 256, 512]}
RATIOS = {300: [[2], [2, 3], [2, 3], [2, 3], [2], [2]], 512: [[2], [2, 3], [2, 3], [2, 3], [2, 3], [2], [2]]}


def caffe_sizes(side: int, min_ratio: int, first: int) -> list[tuple[float, float]]:
    """(min_size, max_size) of every level in pixels, as the scripts compute them; `first` is in per cent."""
    step = floor((90 - min_ratio) / (len(MAPS[side]) - 2))
    ratios = list(range(min_ratio, 91, step))
    smallest = [side * first / 100] + [side * ratio / 100 for ratio in ratios]
    largest = [side * min_ratio / 100] + [side * (ratio + step) / 100 for ratio in ratios]
    return list(zip(smallest, largest, strict=True))


def prior_box_layer(side: int, sizes: list[tuple[float, float]]) -> list[list[float]]:
    """cy, cx, height, width of all priors as prior_box_layer.cpp makes them, without clipping."""
    priors = []
    for cells, step, ratios, (min_size, max_size) in zip(MAPS[side], STEPS[side], RATIOS[side], sizes, strict=True):
        shapes = [(min_size, min_size), (sqrt(min_size * max_size), sqrt(min_size * max_size))]  # width, height
        for ratio in ratios:
            for one in (ratio, 1 / ratio):  # flip: true
                shapes.append((min_size * sqrt(one), min_size / sqrt(one)))
        for row in range(cells):
            for column in range(cells):
                for width, height in shapes:
                    center = [(row + 0.5) * step / side, (column + 0.5) * step / side]
                    priors.append([*center, height / side, width / side])
    return priors


@pytest.mark.parametrize(
    ("name", "side", "min_ratio", "first", "count"),
    [
        ("ssd300", 300, 20, 10, 8732),
        ("ssd300_coco", 300, 15, 7, 8732),
        ("ssd512", 512, 15, 7, 24564),
        ("ssd512_coco", 512, 10, 4, 24564),
    ],
)
def test_priors_are_caffes(name, side, min_ratio, first, count):
    sizes = caffe_sizes(side, min_ratio, first)
    reference = prior_box_layer(side, sizes)
    assert len(reference) == count
    priors = detector("backbone=vgg16", f"detector={name}").priors
    assert largest_difference(f"priors {name}", priors, reference) < 1e-7
    truncated = prior_box_layer(side, [(int(smallest), int(largest)) for smallest, largest in sizes])
    most = 0 if side == 300 else 1.7 / side  # 0.96 pixels, times sqrt(3) for the widest
    assert largest_difference(f"priors {name}, whole pixels", priors, truncated) < most + 1e-7


@pytest.mark.parametrize(
    ("name", "overrides", "side"),
    [
        ("ssd300", ["backbone=vgg16", "detector=ssd300_coco", "detector.clip_priors=true"], 300),
        ("ssdlite320", ["backbone=mobilenet_v2", "detector=ssdlite320"], 320),
    ],
)
def test_priors_are_torchvisions(name, overrides, side):
    """Its ssd300_vgg16 has the COCO sizes and limits width and height to the image."""
    reference = np.load(REFERENCES / "priors.npz")[name][:, [1, 0, 3, 2]] / side
    priors = detector(*overrides).priors
    assert largest_difference(f"priors torchvision {name}", centers_to_corners(priors), reference) < 2e-7
