"""VOC's average precision: values computed by hand, and a plain loop written after VOCevaldet.m as the reference."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import overlaps, pixel_boxes
from ssd.evaluation.voc import ClassResult, area_ap, eleven_point_ap, mean, voc_results
from ssd.inference.detections import Detections

HEIGHT, WIDTH = 100, 200
Corners = tuple[int, int, int, int]


def annotation(*objects: Any, height: int = HEIGHT, width: int = WIDTH) -> Annotation:
    """objects: (label, (ymin, xmin, ymax, xmax) in pixels, "" | "difficult" | "crowd")."""
    size = np.array([height, width] * 2)
    boxes = np.array([box for _, box, *_ in objects], np.float64).reshape(-1, 4)
    flags = [(flag or [""])[0] for _, _, *flag in objects]
    return Annotation(
        id="image",
        height=height,
        width=width,
        boxes=(boxes / size).astype(np.float32),
        labels=np.array([label for label, *_ in objects], np.int32),
        difficult=np.array([flag == "difficult" for flag in flags], np.bool_),
        crowd=np.array([flag == "crowd" for flag in flags], np.bool_),
        areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1).astype(np.float32),
    )


def detections(*found: Any, height: int = HEIGHT, width: int = WIDTH) -> Detections:
    """found: (label, score, (ymin, xmin, ymax, xmax) in pixels)."""
    boxes = np.array([box for *_, box in found], np.float64).reshape(-1, 4) / np.array([height, width] * 2)
    return Detections(
        boxes.astype(np.float32),
        np.array([label for label, *_ in found], np.int32),
        np.array([score for _, score, _ in found], np.float32),
    )


BOX, FAR, HALF = (0, 0, 20, 20), (60, 100, 80, 120), (0, 0, 10, 20)  # HALF overlaps BOX with IoU exactly 0.5


def only_result(found: list[Any], *objects: Any) -> ClassResult:
    return voc_results([detections(*found)], [annotation(*objects)], 1)[0]


def test_average_precision_by_hand() -> None:
    # 3 objects; right, wrong, right, wrong: recall 1/3 1/3 2/3 2/3, precision 1 1/2 2/3 1/2
    recall, precision = np.array([1, 1, 2, 2]) / 3, np.array([1, 1 / 2, 2 / 3, 1 / 2])
    assert area_ap(recall, precision) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    # recalls 0, .1, .2, .3 reach precision 1; .4, .5, .6 reach 2/3; .7 to 1 nothing
    assert eleven_point_ap(recall, precision) == pytest.approx((4 * 1 + 3 * 2 / 3) / 11)


def test_eleven_points_reach_a_recall_of_exactly_three_tenths() -> None:
    recall = np.array([1, 2, 3]) / 10
    assert eleven_point_ap(recall, np.ones(3)) == pytest.approx(4 / 11)


def test_no_detections_have_no_precision() -> None:
    assert area_ap(np.zeros(0), np.zeros(0)) == eleven_point_ap(np.zeros(0), np.zeros(0)) == 0.0


def test_the_second_detection_of_an_object_is_wrong() -> None:
    result = only_result([(0, 0.8, BOX), (0, 0.9, BOX)], (0, BOX), (0, FAR))
    assert result.scores == pytest.approx([0.9, 0.8])
    assert result.right.tolist() == [True, False]
    assert result.ap == pytest.approx(0.5)


def test_a_detection_belongs_to_its_best_object_even_when_that_is_claimed() -> None:
    near, shifted = (0, 0, 20, 20), (0, 4, 20, 24)
    result = only_result([(0, 0.9, near), (0, 0.8, (0, 1, 20, 21))], (0, near), (0, shifted))
    # the second overlaps both by more than one half, the claimed one more: VOC calls it wrong
    assert result.right.tolist() == [True, False]


def test_the_overlap_threshold_is_inclusive() -> None:
    assert only_result([(0, 0.9, HALF)], (0, BOX)).right.tolist() == [True]
    assert only_result([(0, 0.9, (0, 0, 9.9, 20))], (0, BOX)).right.tolist() == [False]


def test_a_detection_of_a_difficult_object_is_neither_right_nor_wrong() -> None:
    result = only_result([(0, 0.9, BOX), (0, 0.8, BOX), (0, 0.7, FAR)], (0, BOX, "difficult"), (0, FAR))
    assert result.objects == 1
    assert result.scores == pytest.approx([0.7])
    assert result.ap == result.ap_07 == 1.0


def test_a_difficult_object_of_another_class_excuses_nothing() -> None:
    results = voc_results([detections((0, 0.9, BOX))], [annotation((1, BOX, "difficult"), (0, FAR))], 2)
    assert results[0].right.tolist() == [False]


def test_a_class_with_only_difficult_objects_is_left_out_of_the_mean() -> None:
    results = voc_results([detections((0, 0.9, BOX))], [annotation((0, BOX), (1, FAR, "difficult"))], 3)
    assert [result.ap for result in results] == [1.0, None, None]
    assert mean([result.ap for result in results]) == 1.0


def test_nothing_defined_has_no_mean() -> None:
    assert mean([None, None]) is None
    assert mean([]) is None


def test_inside_a_crowd_a_detection_is_ignored() -> None:
    crowd, inside = (0, 0, 80, 80), (10, 10, 20, 20)
    result = only_result([(0, 0.9, inside), (0, 0.8, FAR)], (0, crowd, "crowd"), (0, FAR))
    assert result.objects == 1
    assert result.right.tolist() == [True]


def test_an_object_inside_a_crowd_is_still_found() -> None:
    crowd, inside = (0, 0, 80, 80), (10, 10, 20, 20)
    result = only_result([(0, 0.9, inside)], (0, crowd, "crowd"), (0, inside))
    assert result.right.tolist() == [True]


def test_equal_scores_keep_their_order() -> None:
    first, second = detections((0, 0.5, BOX)), detections((0, 0.5, FAR))
    truth = [annotation((0, BOX)), annotation((0, BOX))]
    assert voc_results([first, second], truth, 1)[0].right.tolist() == [True, False]
    assert voc_results([second, first], truth, 1)[0].right.tolist() == [False, True]


def test_images_count_once_per_class() -> None:
    result = voc_results([detections()] * 2, [annotation((0, BOX), (0, FAR)), annotation((1, BOX))], 2)[0]
    assert (result.objects, result.images) == (2, 1)


def test_counts_at_a_score_include_the_score() -> None:
    result = only_result([(0, 0.75, BOX), (0, 0.5, FAR), (0, 0.25, FAR)], (0, BOX))
    assert result.counts_at(0.5) == (1, 2)
    assert result.counts_at(0.8) == (0, 0)


def test_an_empty_data_set_has_results_without_values() -> None:
    results = voc_results([], [], 2)
    assert [(result.objects, result.ap, len(result.scores)) for result in results] == [(0, None, 0)] * 2


def test_annotated_pixels_are_given_back_exactly() -> None:
    boxes = [(1, 7, 333, 499), (111, 13, 112, 14)]
    image = annotation(*((0, box) for box in boxes), height=375, width=500)
    assert pixel_boxes(image.boxes, image).tolist() == [list(box) for box in boxes]


def test_overlaps_by_hand() -> None:
    both = overlaps(detections((0, 1, HALF), (0, 1, FAR), (0, 1, (5, 5, 5, 9))).boxes, annotation((0, BOX)))
    assert both.iou.tolist() == [[0.5], [0.0], [0.0]]
    assert both.coverage.tolist() == [[1.0], [0.0], [0.0]]  # the last has no area


# --- the devkit's loop, on whole pixels counted from 1, both corners inside the box -----------------------------------


def devkit_overlap(a: Corners, b: Corners) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]) + 1, min(a[3], b[3]) - max(a[1], b[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = ((box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b))
    return width * height / (area_a + area_b - width * height)


def devkit_ap(
    found: list[tuple[float, int, Corners]], truth: dict[int, list[tuple[Corners, bool]]]
) -> tuple[float, float]:
    """found: [(score, image, box)], truth: {image: [(box, difficult)]}; boxes xmin, ymin, xmax, ymax from 1."""
    positives = sum(not difficult for objects in truth.values() for _, difficult in objects)
    claimed, right, wrong = set(), 0, 0
    recall: list[float] = []
    precision: list[float] = []
    for _, image, box in sorted(found, key=lambda item: -item[0]):
        best, best_index = -1.0, -1
        for index, (other, _) in enumerate(truth[image]):
            if devkit_overlap(box, other) > best:
                best, best_index = devkit_overlap(box, other), index
        if best >= 0.5:
            if truth[image][best_index][1]:
                continue
            if (image, best_index) in claimed:
                wrong += 1
            else:
                right += 1
                claimed.add((image, best_index))
        else:
            wrong += 1
        recall.append(right / positives)
        precision.append(right / (right + wrong))
    eleven = sum(max([p for r, p in zip(recall, precision, strict=True) if r >= t / 10], default=0) for t in range(11))
    recall, precision = [0, *recall, 1], [0, *precision, 0]
    for index in reversed(range(len(precision) - 1)):
        precision[index] = max(precision[index], precision[index + 1])
    area = sum((recall[i + 1] - recall[i]) * precision[i + 1] for i in range(len(recall) - 1))
    return area, eleven / 11


def random_set(
    rng: np.random.Generator, images: int = 12, classes: int = 3, width: int = 60, height: int = 40
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Boxes on whole pixels, as [(label, (xmin, ymin, xmax, ymax), difficult)] and [(label, score, box)] per image."""

    def box() -> Corners:
        x, y = sorted(rng.integers(1, width + 1, 2)), sorted(rng.integers(1, height + 1, 2))
        return int(x[0]), int(y[0]), int(x[1]), int(y[1])

    def moved(old: Corners) -> Corners:
        new = np.array(old) + rng.integers(-4, 5, 4)
        return int(new[0]), int(new[1]), int(max(new[0], new[2])), int(max(new[1], new[3]))

    truth, found = [], []
    for _ in range(images):
        objects = [(int(rng.integers(classes)), box(), bool(rng.random() < 0.2)) for _ in range(rng.integers(0, 6))]
        near = [
            (label, float(rng.random()), moved(old)) for label, old, _ in objects for _ in range(rng.integers(0, 4))
        ]
        astray = [(int(rng.integers(classes)), float(rng.random()), box()) for _ in range(rng.integers(0, 5))]
        truth.append(objects)
        found.append(near + astray)
    return truth, found


def from_one(box: Corners) -> Corners:
    """The devkit's corners as ymin, xmin, ymax, xmax edges."""
    xmin, ymin, xmax, ymax = box
    return ymin - 1, xmin - 1, ymax, xmax


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_the_devkit_on_random_sets(seed: int) -> None:
    classes, size = 3, {"height": 40, "width": 60}
    truth, found = random_set(np.random.default_rng(seed), classes=classes)
    results = voc_results(
        [detections(*((label, score, from_one(box)) for label, score, box in image), **size) for image in found],
        [
            annotation(
                *((label, from_one(box), "difficult" if difficult else "") for label, box, difficult in image), **size
            )
            for image in truth
        ],
        classes,
    )
    for label, result in enumerate(results):
        objects = {
            image: [(box, difficult) for of, box, difficult in content if of == label]
            for image, content in enumerate(truth)
        }
        boxes = [(s, image, box) for image, content in enumerate(found) for of, s, box in content if of == label]
        area, eleven = devkit_ap(boxes, objects)
        assert result.ap == pytest.approx(area, abs=1e-12)
        assert result.ap_07 == pytest.approx(eleven, abs=1e-12)


@given(st.integers(0, 10_000))
def test_the_order_of_images_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, found = random_set(rng, images=5)
    annotations = [annotation(*((label, from_one(box)) for label, box, _ in image)) for image in truth]
    results = [detections(*((label, score, from_one(box)) for label, score, box in image)) for image in found]
    order = rng.permutation(5)
    shuffled = voc_results([results[i] for i in order], [annotations[i] for i in order], 3)
    for one, other in zip(voc_results(results, annotations, 3), shuffled, strict=True):
        assert (one.ap, one.ap_07, one.objects, one.images) == (other.ap, other.ap_07, other.objects, other.images)


@given(st.integers(0, 10_000))
def test_perfect_detections_are_perfect(seed: int) -> None:
    truth, _ = random_set(np.random.default_rng(seed), images=4)
    truth = [list({box: (label, from_one(box)) for label, box, _ in image}.values()) for image in truth]
    found = [detections(*((label, 0.9, box) for label, box in image)) for image in truth]
    for result in voc_results(found, [annotation(*image) for image in truth], 3):
        assert result.ap in (1.0, None)
        assert result.right.all()
