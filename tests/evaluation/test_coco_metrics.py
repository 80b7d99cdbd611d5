"""COCO's metrics by hand; tests/parity/test_coco.py compares them with pycocotools."""

import numpy as np
import pytest

from helpers.fake_detections import random_set
from ssd.data.sample import Annotation
from ssd.evaluation.coco import coco_results
from ssd.inference.detections import Detections

FIRST_HIT = 1 - 2**-52  # pycocotools' precision of a first, right detection: it divides by 1 + 2e-16


def test_perfect_detections_are_perfect() -> None:
    _, annotations = random_set(0)
    perfect = [
        Detections(a.boxes[~a.crowd], a.labels[~a.crowd], np.linspace(1, 0.5, int((~a.crowd).sum()), dtype=np.float32))
        for a in annotations
    ]
    result = coco_results(perfect, annotations, 4)
    for name in ("mAP", "mAP50_coco", "mAP75", "AR100"):
        assert result.metrics[name] == pytest.approx(1.0)


def test_difficult_objects_are_ordinary_objects() -> None:
    boxes, flag = np.array([[0, 0, 0.5, 0.5]], np.float32), np.array([True])
    label, area = np.zeros(1, np.int32), np.array([2500], np.float32)
    annotation = Annotation("a", 100, 100, boxes, label, flag, ~flag, area)
    assert coco_results([Detections(boxes, label, np.ones(1, np.float32))], [annotation], 1).metrics["mAP"] == FIRST_HIT


def test_sizes_without_objects_are_left_out() -> None:
    boxes, flag = np.array([[0, 0, 0.5, 0.5]], np.float32), np.array([False])
    label, area = np.zeros(1, np.int32), np.array([2500], np.float32)  # 32x32 < 2500 < 96x96: medium
    annotation = Annotation("a", 100, 100, boxes, label, flag, flag, area)
    metrics = coco_results([Detections(boxes, label, np.ones(1, np.float32))], [annotation], 1).metrics
    assert (metrics["mAP_medium"], metrics["AR_medium"]) == (FIRST_HIT, 1.0)
    assert not {"mAP_small", "mAP_large", "AR_small", "AR_large"} & set(metrics)


def test_objects_without_any_detection_score_zero() -> None:
    _, annotations = random_set(1)
    nothing = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    result = coco_results([nothing] * len(annotations), annotations, 4)
    assert result.metrics["mAP"] == result.metrics["AR100"] == 0.0


def test_without_objects_nothing_is_defined() -> None:
    detections, annotations = random_set(2)
    none = [
        Annotation(a.id, a.height, a.width, a.boxes[:0], a.labels[:0], a.difficult[:0], a.crowd[:0], a.areas[:0])
        for a in annotations
    ]
    for result in (coco_results(detections, none, 4), coco_results([], [], 4)):
        assert (result.metrics, result.ap) == ({}, [None] * 4)


def test_only_crowds_define_nothing() -> None:
    boxes, flag = np.array([[0, 0, 0.5, 0.5]], np.float32), np.array([True])
    label, area = np.zeros(1, np.int32), np.array([2500], np.float32)
    annotation = Annotation("a", 100, 100, boxes, label, ~flag, flag, area)
    result = coco_results([Detections(boxes, label, np.ones(1, np.float32))], [annotation], 2)
    assert (result.metrics, result.ap) == ({}, [None, None])


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    coco_results(*random_set(0), 4)
    assert capfd.readouterr() == ("", "")
