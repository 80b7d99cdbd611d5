"""Pascal VOC's average precision against a plain reading of the devkit, in exact fractions.

The reference follows `VOCevaldet.m` (whole pixels counted from 1, both corners inside the box) and `VOCap.m` of
VOCdevkit 2007 and 2010, line by line and without arrays.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest

from parity.differences import largest_difference
from ssd.data.sample import Annotation
from ssd.evaluation.voc import voc_results
from ssd.inference.detections import Detections

Corners = tuple[int, int, int, int]  # xmin, ymin, xmax, ymax
HALF = Fraction(1, 2)
SITUATIONS = ("half", "difficult", "duplicate", "ties", "without objects")


class Truth(NamedTuple):
    label: int
    box: Corners
    difficult: bool


class Found(NamedTuple):
    label: int
    score: float
    box: Corners


def overlap(a: Corners, b: Corners) -> Fraction:
    width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return Fraction(0)
    area_a, area_b = ((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b))
    return Fraction(width * height, area_a + area_b - width * height)


def curve(label: int, truth: list[list[Truth]], found: list[list[Found]], seen: dict[str, int]):
    """(recall, precision) after each detection that counts, or None without an object to find.

    `seen` counts the situations in which readings of the devkit could differ.
    """
    objects = sum(one.label == label and not one.difficult for image in truth for one in image)
    all_found = [(one, image) for image, of_image in enumerate(found) for one in of_image if one.label == label]
    claimed = set()
    right = wrong = 0
    recall, precision = [], []
    for one, image in sorted(all_found, key=lambda item: -item[0].score):  # stable, as MATLAB's sort
        best, best_index = Fraction(-1), -1
        for index, other in enumerate(truth[image]):
            if other.label == label and overlap(one.box, other.box) > best:
                best, best_index = overlap(one.box, other.box), index
        seen["half"] += best == HALF
        if best < HALF:
            wrong += 1
        elif truth[image][best_index].difficult:
            seen["difficult"] += 1
            continue
        elif (image, best_index) in claimed:
            seen["duplicate"] += 1
            wrong += 1
        else:
            claimed.add((image, best_index))
            right += 1
        recall.append(Fraction(right, max(objects, 1)))
        precision.append(Fraction(right, right + wrong))
    seen["ties"] += len(all_found) - len({one.score for one, _ in all_found})
    seen["without objects"] += bool(all_found and not objects)
    return (recall, precision) if objects else None


def eleven_points(recall: list[Fraction], precision: list[Fraction]) -> Fraction:
    total = Fraction(0)
    for tenth in range(11):
        reached = [p for r, p in zip(recall, precision, strict=True) if r >= Fraction(tenth, 10)]
        total += max(reached, default=Fraction(0)) / 11
    return total


def area(recall: list[Fraction], precision: list[Fraction]) -> Fraction:
    recall, precision = [Fraction(0), *recall, Fraction(1)], [Fraction(0), *precision, Fraction(0)]
    for index in range(len(precision) - 2, -1, -1):
        precision[index] = max(precision[index], precision[index + 1])
    return sum(((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall))), Fraction(0))


def random_set(rng: np.random.Generator, images: int, side: int, ties: bool):
    """Objects of classes 0 to 2 and detections of 0 to 3; of class 2 all objects are difficult."""

    def box() -> Corners:
        x, y = np.sort(rng.integers(1, side + 1, 2)), np.sort(rng.integers(1, side + 1, 2))
        return int(x[0]), int(y[0]), int(x[1]), int(y[1])

    def near(old: Corners) -> Corners:
        new = np.array(old) + rng.integers(-2, 3, 4) * (rng.random(4) < 0.5)
        return int(new[0]), int(new[1]), int(max(new[0], new[2])), int(max(new[1], new[3]))

    def score() -> float:
        return float(np.float32(rng.integers(1, 6) / 8 if ties else rng.random()))

    truth, found = [], []
    for _ in range(images):
        labels = rng.integers(0, 3, rng.integers(0, 6)).tolist()
        objects = [Truth(label, box(), bool(label == 2 or rng.random() < 0.2)) for label in labels]
        hits = [Found(one.label, score(), near(one.box)) for one in objects for _ in range(rng.integers(0, 4))]
        astray = [Found(int(rng.integers(0, 4)), score(), box()) for _ in range(rng.integers(0, 5))]
        truth.append(objects)
        found.append(hits + astray)
    return truth, found


def normalised(boxes: list[Corners], side: int) -> Any:
    """Edges ymin, xmin, ymax, xmax: the first pixel starts at 0, the last ends at `side`."""
    edges = [(ymin - 1, xmin - 1, ymax, xmax) for xmin, ymin, xmax, ymax in boxes]
    return (np.array(edges, np.float64).reshape(-1, 4) / side).astype(np.float32)


def as_annotation(objects: list[Truth], side: int) -> Annotation:
    flags = np.array([one.difficult for one in objects], np.bool_)
    labels = np.array([one.label for one in objects], np.int32)
    boxes = normalised([one.box for one in objects], side)
    return Annotation("", side, side, boxes, labels, flags, np.zeros_like(flags), np.ones(len(flags), np.float32))


def as_detections(found: list[Found], side: int) -> Detections:
    labels = np.array([one.label for one in found], np.int32)
    scores = np.array([one.score for one in found], np.float32)
    return Detections(normalised([one.box for one in found], side), labels, scores)


def compare(
    truth: list[list[Truth]], found: list[list[Found]], side: int, seen: dict[str, int]
) -> list[tuple[float, Fraction]]:
    """Asserts equal curves and gives the pairs of APs, ours and the reference's."""
    results = voc_results([as_detections(f, side) for f in found], [as_annotation(t, side) for t in truth], 4)
    pairs: list[tuple[Any, Fraction]] = []
    for label, result in enumerate(results):
        expected = curve(label, truth, found, seen)
        if expected is None:
            assert result.ap is None
            assert result.ap_07 is None
            continue
        assert result.recall.tolist() == [float(value) for value in expected[0]]
        assert result.precision.tolist() == [float(value) for value in expected[1]]
        pairs += [(result.ap, area(*expected)), (result.ap_07, eleven_points(*expected))]
    return pairs


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("side", [8, 60, 375])
def test_average_precision_is_the_devkits(side, ties):
    seen = dict.fromkeys(SITUATIONS, 0)
    sets = [random_set(np.random.default_rng(seed), 12, side, ties) for seed in range(20)]
    pairs = [pair for truth, found in sets for pair in compare(truth, found, side, seen)]
    assert largest_difference("VOC AP", *zip(*pairs, strict=True)) < 1e-15
    assert seen["half"] > 20 or side > 8
    assert min(seen["difficult"], seen["duplicate"], seen["without objects"]) > 20
    assert (seen["ties"] > 500) == ties


def test_of_two_objects_with_equal_overlap_the_first_is_taken():
    """So that the second detection finds the first object claimed."""
    truth = [[Truth(0, (1, 1, 8, 8), False), Truth(0, (5, 1, 12, 8), False)]]
    found = [[Found(0, 0.9, (3, 1, 10, 8)), Found(0, 0.8, (1, 1, 8, 8))]]  # IoU 0.6 with both; the first object itself
    seen = dict.fromkeys(SITUATIONS, 0)
    assert compare(truth, found, 16, seen)[0] == (0.5, HALF)
    assert seen["duplicate"] == 1
