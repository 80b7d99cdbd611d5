"""The paired bootstrap: the metrics of a draw are those of its images, and chance is told from a difference."""

import numpy as np
import pytest

from ssd.data.sample import Annotation
from ssd.evaluation.bootstrap import paired_differences, resampled
from ssd.evaluation.coco import coco_results
from ssd.inference.detections import Detections

CLASSES = 3


def _set(seed: int, images: int = 12) -> tuple[list[Detections], list[Annotation]]:
    """Drawn objects, and detections of which some lie beside them."""
    rng = np.random.default_rng(seed)
    detections, annotations = [], []
    for number in range(images):
        count = int(rng.integers(1, 5))
        corners = rng.uniform(0, 0.6, (count, 2)).astype(np.float32)
        boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.4, (count, 2)).astype(np.float32)], axis=1)
        labels = rng.integers(0, CLASSES, count).astype(np.int32)
        areas = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * 200 * 300).astype(np.float32)
        crowd = rng.random(count) < 0.1
        annotations.append(Annotation(str(number), 200, 300, boxes, labels, np.zeros(count, bool), crowd, areas))
        moved = np.clip(boxes + rng.normal(0, 0.02, boxes.shape), 0, 1).astype(np.float32)
        more = np.concatenate([moved, moved[:1] + np.float32(0.05)])
        scores = rng.random(count + 1).astype(np.float32)
        detections.append(Detections(more, np.append(labels, labels[0]), scores))
    return detections, annotations


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_has_the_metrics_of_its_images(seed: int) -> None:
    detections, annotations = _set(seed)
    rng = np.random.default_rng(seed)
    times = np.stack([np.ones(12, np.int64), rng.multinomial(12, np.full(12, 1 / 12))])
    found = resampled(detections, annotations, CLASSES, times)
    for draw, counts in enumerate(times):
        rows = np.repeat(np.arange(12), counts).tolist()
        expected = coco_results([detections[i] for i in rows], [annotations[i] for i in rows], CLASSES).metrics
        for name in ("mAP50_coco", "mAP"):
            assert found[name][draw] == pytest.approx(expected[name], abs=1e-9)


def test_a_detector_is_no_better_than_itself() -> None:
    detections, annotations = _set(0)
    for difference in paired_differences([detections], [detections] * 2, annotations, CLASSES, 50).values():
        assert difference == (0, 0, 1)


def test_a_better_detector_is_told_from_chance() -> None:
    detections, annotations = _set(1, 60)
    exact = [Detections(a.boxes, a.labels, np.ones(len(a.labels), np.float32)) for a in annotations]
    better = paired_differences([detections], [exact], annotations, CLASSES, 200)["mAP"]
    assert better.mean > 0.1
    assert better.p == 1 / 200
    worse = paired_differences([exact], [detections], annotations, CLASSES, 200)["mAP"]
    assert worse.mean == pytest.approx(-better.mean)


def test_of_two_that_differ_in_one_image_neither_is_sure() -> None:
    detections, annotations = _set(2, 20)
    exact = [Detections(a.boxes, a.labels, np.ones(len(a.labels), np.float32)) for a in annotations]
    other = [*exact[:-1], detections[-1]]
    difference = paired_differences([exact], [other], annotations, CLASSES, 300)["mAP"]
    assert difference.mean < 0
    assert difference.p > 0.05


def test_sets_of_other_images_cannot_be_paired() -> None:
    detections, annotations = _set(0)
    with pytest.raises(ValueError, match="of 11 images cannot be paired with 12"):
        paired_differences([detections], [detections[:11]], annotations, CLASSES)
