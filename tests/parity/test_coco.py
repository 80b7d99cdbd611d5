"""COCO's metrics against pycocotools: equal to the last bit."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from helpers.fake_detections import random_set
from ssd.data.sample import Annotation
from ssd.evaluation.coco import coco_results
from ssd.inference.detections import Detections

NAMES = ["mAP", "mAP50_coco", "mAP75", "mAP_small", "mAP_medium", "mAP_large"]
NAMES += ["AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"]


def coco_box(box, annotation):
    top, left, bottom, right = (float(value) for value in box)
    height, width = annotation.height, annotation.width
    return [left * width, top * height, right * width - left * width, bottom * height - top * height]


def of_set(images, classes, records):
    """pycocotools' index over records, whose ids start at 1 because 0 means "unmatched" to it."""
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": label} for label in range(classes)],
        "annotations": [record | {"id": index + 1} for index, record in enumerate(records)],
    }
    coco.createIndex()
    return coco


def pycocotools_evaluation(detections, annotations, classes):
    truth: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for image, (result, annotation) in enumerate(zip(detections, annotations, strict=True)):
        for row, box in enumerate(annotation.boxes):
            record = {"image_id": image, "category_id": int(annotation.labels[row]), "bbox": coco_box(box, annotation)}
            truth.append(record | {"area": float(annotation.areas[row]), "iscrowd": int(annotation.crowd[row])})
        for box, label, score in zip(result.boxes, result.labels, result.scores, strict=True):
            corner = coco_box(box, annotation)
            record = {"image_id": image, "category_id": int(label), "bbox": corner}
            found.append(record | {"area": corner[2] * corner[3], "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(*(of_set(len(annotations), classes, records) for records in (truth, found)), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def assert_equal(detections, annotations, classes):
    """All twelve metrics and the AP of every class, with ==."""
    reference = pycocotools_evaluation(detections, annotations, classes)
    result = coco_results(detections, annotations, classes)
    defined = {name: value for name, value in zip(NAMES, reference.stats.tolist(), strict=True) if value > -1}
    assert result.metrics == defined
    for label, ap in enumerate(result.ap):
        of_class = reference.eval["precision"][:, :, label, 0, -1]
        of_class = of_class[of_class > -1]
        assert ap == (np.mean(of_class) if of_class.size else None)
    return result


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("ties", [False, True])
def test_the_numbers_of_pycocotools(seed, ties):
    result = assert_equal(*random_set(seed, images=25, ties=ties), 4)
    assert len(result.metrics) == 12
    assert 0 < result.metrics["mAP"] < 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5), st.booleans())
def test_the_numbers_of_pycocotools_on_few_images(seed, images, classes, ties):
    assert_equal(*random_set(seed, images=images, classes=classes, ties=ties, most=12), classes)


@pytest.mark.parametrize("ties", [False, True])
def test_only_the_best_hundred_of_an_image_and_class_count(ties):
    detections, annotations = random_set(3, images=4, classes=1, most=400, ties=ties)
    assert max(map(len, detections)) > 200
    assert_equal(detections, annotations, 1)


def test_of_two_objects_with_equal_iou_the_later_is_taken():
    """So that the second detection still finds the first object."""
    boxes = np.array([[0, 0, 0.5, 0.5], [0, 0.25, 0.5, 0.75]], np.float32)
    no = np.zeros(2, np.bool_)
    annotation = Annotation("a", 64, 64, boxes, np.zeros(2, np.int32), no, no, np.full(2, 1024, np.float32))
    found = np.array([[0, 0.125, 0.5, 0.625], boxes[0]], np.float32)  # IoU 0.6 with both; the first object itself
    detections = Detections(found, np.zeros(2, np.int32), np.array([0.9, 0.8], np.float32))
    assert assert_equal([detections], [annotation], 1).metrics["mAP50_coco"] == 1.0
