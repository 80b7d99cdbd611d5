"""COCO's metrics, with pycocotools as the reference."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssd.data.sample import Annotation
from ssd.evaluation.coco import coco_results
from ssd.inference.detections import Detections

NAMES = ["mAP", "mAP50_coco", "mAP75", "mAP_small", "mAP_medium", "mAP_large"]
NAMES += ["AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"]


def random_set(
    seed: int, images: int = 15, classes: int = 4, ties: bool = False, most: int = 40
) -> tuple[list[Detections], list[Annotation]]:
    """Objects of all sizes, some crowds and difficult ones, detections near and astray; some images are empty."""
    rng = np.random.default_rng(seed)
    annotations, detections = [], []
    for index in range(images):
        height, width = rng.integers(100, 500, 2)
        count = rng.integers(0, 6)
        sides = rng.uniform(0.02, 0.7, (count, 2))
        corner = rng.uniform(0, 1 - sides)
        boxes = np.concatenate([corner, corner + sides], axis=1).astype(np.float32)
        labels = rng.integers(0, classes, count).astype(np.int32)
        areas = (sides.prod(axis=1) * height * width * rng.uniform(0.5, 1, count)).astype(np.float32)
        difficult, crowd = rng.random(count) < 0.2, rng.random(count) < 0.2
        annotations.append(Annotation(str(index), int(height), int(width), boxes, labels, difficult, crowd, areas))
        near = rng.integers(0, count, rng.integers(0, most)) if count else np.zeros(0, np.int64)
        moved = boxes[near] + rng.normal(0, 0.03, (len(near), 4))
        found = np.concatenate([np.minimum(moved[:, :2], moved[:, 2:]), np.maximum(moved[:, :2], moved[:, 2:])], axis=1)
        scores = rng.random(len(near))
        scores = np.sort(np.round(scores, 1) if ties else scores)[::-1]
        guess = np.where(rng.random(len(near)) < 0.7, labels[near], rng.integers(0, classes, len(near)))
        detections.append(
            Detections(found.astype(np.float32), guess.astype(np.int32), np.ascontiguousarray(scores, np.float32))
        )
    return detections, annotations


def coco_box(box: NDArray[np.float32], annotation: Annotation) -> list[float]:
    top, left, bottom, right = (float(value) for value in box)
    height, width = annotation.height, annotation.width
    return [left * width, top * height, right * width - left * width, bottom * height - top * height]


def pycocotools_evaluation(detections: list[Detections], annotations: list[Annotation], classes: int) -> COCOeval:
    truth, found = COCO(), COCO()
    for data in (truth, found):
        data.dataset = {
            "images": [{"id": i} for i in range(len(annotations))],
            "categories": [{"id": label} for label in range(classes)],
            "annotations": [],
        }
    for image, annotation in enumerate(annotations):
        for row, box in enumerate(annotation.boxes):
            record = {"image_id": image, "bbox": coco_box(box, annotation), "area": float(annotation.areas[row])}
            record |= {"category_id": int(annotation.labels[row]), "iscrowd": int(annotation.crowd[row])}
            truth.dataset["annotations"].append(record | {"id": len(truth.dataset["annotations"]) + 1})
    for image, (result, annotation) in enumerate(zip(detections, annotations, strict=True)):
        for box, label, score in zip(result.boxes, result.labels, result.scores, strict=True):
            corner = coco_box(box, annotation)
            record = {"image_id": image, "bbox": corner, "area": corner[2] * corner[3]}
            record |= {"category_id": int(label), "score": float(score)}
            found.dataset["annotations"].append(record | {"id": len(found.dataset["annotations"]) + 1})
    truth.createIndex()
    found.createIndex()
    evaluation = COCOeval(truth, found, "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("ties", [False, True])
def test_the_numbers_of_pycocotools(seed: int, ties: bool) -> None:
    detections, annotations = random_set(seed, ties=ties)
    reference = pycocotools_evaluation(detections, annotations, 4)
    result = coco_results(detections, annotations, 4)
    expected = {name: value for name, value in zip(NAMES, reference.stats.tolist(), strict=True) if value > -1}
    assert result.metrics == pytest.approx(expected, abs=1e-14)  # it adds 2e-16 where it divides
    for label, ap in enumerate(result.ap):
        of_class = reference.eval["precision"][:, :, label, 0, -1]
        assert ap == (pytest.approx(of_class.mean(), abs=1e-14) if (of_class > -1).all() else None)


def test_only_the_best_hundred_of_an_image_and_class_count_as_in_pycocotools() -> None:
    detections, annotations = random_set(3, images=4, classes=1, most=400)
    assert max(map(len, detections)) > 200
    reference = pycocotools_evaluation(detections, annotations, 1)
    assert coco_results(detections, annotations, 1).metrics["mAP"] == pytest.approx(reference.stats[0], abs=1e-14)


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
    assert coco_results([Detections(boxes, label, np.ones(1, np.float32))], [annotation], 1).metrics["mAP"] == 1.0


def test_sizes_without_objects_are_left_out() -> None:
    boxes, flag = np.array([[0, 0, 0.5, 0.5]], np.float32), np.array([False])
    label, area = np.zeros(1, np.int32), np.array([2500], np.float32)  # 32x32 < 2500 < 96x96: medium
    annotation = Annotation("a", 100, 100, boxes, label, flag, flag, area)
    metrics = coco_results([Detections(boxes, label, np.ones(1, np.float32))], [annotation], 1).metrics
    assert metrics["mAP_medium"] == metrics["AR_medium"] == 1.0
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
