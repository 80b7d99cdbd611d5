"""VOC's average precision by hand; tests/parity/test_voc.py compares it with the devkit's."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.fake_detections import random_set
from ssd.data.sample import Annotation
from ssd.evaluation.overlaps import overlaps, pixel_boxes
from ssd.evaluation.voc import ClassResult, area_ap, eleven_point_ap, mean, voc_results
from ssd.inference.detections import Detections

HEIGHT, WIDTH = 100, 200


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


@settings(deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_images_changes_nothing(seed: int) -> None:
    found, truth = random_set(seed, images=5)
    order = np.random.default_rng(seed).permutation(5)
    shuffled = voc_results([found[i] for i in order], [truth[i] for i in order], 4)
    for one, other in zip(voc_results(found, truth, 4), shuffled, strict=True):
        assert (one.ap, one.ap_07, one.objects, one.images) == (other.ap, other.ap_07, other.objects, other.images)


@given(st.integers(0, 10_000))
def test_perfect_detections_are_perfect(seed: int) -> None:
    _, truth = random_set(seed, images=4)
    found = []
    for image in truth:
        boxes, labels = image.boxes[~image.crowd], image.labels[~image.crowd]
        found.append(Detections(boxes, labels, np.full(len(labels), 0.9, np.float32)))
    for result in voc_results(found, truth, 4):
        assert result.ap in (1.0, None)
        assert result.right.all()
