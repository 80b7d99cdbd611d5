"""Differences of detections, by hand."""

import numpy as np

from ssd.export.differences import Differences, differences
from ssd.inference.detections import Detections
from ssd.models.detector import NMSSettings

NMS = NMSSettings(score_threshold=0.1, iou=0.5, max_per_class=50, max_detections=3)


def found(*rows: tuple[float, int, list[float]]) -> Detections:
    """Of (score, label, box)."""
    scores, labels, boxes = zip(*rows, strict=True) if rows else ((), (), np.zeros((0, 4)))
    return Detections(np.array(boxes, np.float32), np.array(labels, np.int32), np.array(scores, np.float32))


LEFT, RIGHT = [0.0, 0.0, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]


def compare(original: Detections, exported: Detections, least: float = 0.0) -> Differences:
    return differences([original], [exported], NMS, least)


def test_the_same_in_another_order() -> None:
    same = compare(found((0.8, 0, LEFT), (0.8, 1, RIGHT)), found((0.8, 1, RIGHT), (0.8, 0, LEFT)))
    assert same == Differences(2, 0, 0, 0, 0.0, 0.0)


def test_the_largest_differences_of_all_images() -> None:
    moved = [0.0, 0.0, 0.4, 0.42]
    told = differences(
        [found((0.8, 0, LEFT)), found((0.7, 1, RIGHT))], [found((0.75, 0, moved)), found((0.71, 1, RIGHT))], NMS, 0.0
    )
    assert (told.detections, told.missing, told.extra) == (2, 0, 0)
    np.testing.assert_allclose([told.box, told.score], [0.02, 0.05], atol=1e-6)


def test_missing_extra_and_another_class() -> None:
    told = compare(found((0.8, 0, LEFT), (0.7, 0, RIGHT)), found((0.8, 1, LEFT)))
    assert (told.detections, told.missing, told.extra, told.tied) == (2, 2, 1, 0)


def test_at_the_threshold_rounding_decides() -> None:
    told = compare(found((0.8, 0, LEFT), (0.10005, 0, RIGHT)), found((0.8, 0, LEFT)))
    assert (told.missing, told.extra, told.tied) == (0, 0, 1)


def test_of_a_full_image_the_last_may_be_another() -> None:
    third, fourth = [0.0, 0.5, 0.4, 0.9], [0.5, 0.0, 0.9, 0.4]
    one = found((0.8, 0, LEFT), (0.7, 0, RIGHT), (0.3, 0, third))
    told = compare(one, found((0.8, 0, LEFT), (0.7, 0, RIGHT), (0.30001, 0, fourth)))
    assert (told.missing, told.extra, told.tied) == (0, 0, 2)
    told = compare(one, found((0.8, 0, LEFT), (0.7, 0, RIGHT), (0.5, 0, fourth)))
    assert (told.extra, told.tied) == (1, 1)


def test_two_that_overlap_as_much_as_nms_allows() -> None:
    below = [0.0, 0.0, 0.2, 0.4]  # IoU 0.5 with LEFT
    told = compare(found((0.8, 0, LEFT), (0.7, 0, below)), found((0.8, 0, LEFT)))
    assert (told.missing, told.tied) == (0, 1)


def test_only_sure_ones() -> None:
    told = compare(found((0.8, 0, LEFT), (0.3, 0, RIGHT)), found((0.45, 0, LEFT)), least=0.5)
    assert (told.detections, told.missing, told.extra) == (1, 0, 0)
    np.testing.assert_allclose(told.score, 0.35, atol=1e-6)


def test_nothing_at_all() -> None:
    assert compare(found(), found()) == Differences(0, 0, 0, 0, 0.0, 0.0)
    assert compare(found(), found((0.8, 0, LEFT))).extra == 1


def test_boxes_without_an_area() -> None:
    line = [0.2, 1.0, 0.6, 1.0]
    assert compare(found((0.8, 0, line)), found((0.8, 0, [0.2, 0.99999, 0.6, 1.0]))).missing == 0
