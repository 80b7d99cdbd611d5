"""The paired bootstrap: the metrics of a draw are those of its images, and chance is told from a difference."""

import numpy as np
import pytest

from ssd.data.sample import Annotation
from ssd.evaluation.bootstrap import CHANCE, METRICS, Difference, difference, draw_images, resampled
from ssd.evaluation.evaluate import evaluate
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
        difficult, crowd = rng.random(count) < 0.2, rng.random(count) < 0.1
        annotations.append(Annotation(str(number), 200, 300, boxes, labels, difficult, crowd, areas))
        moved = np.clip(boxes + rng.normal(0, 0.02, boxes.shape), 0, 1).astype(np.float32)
        more = np.concatenate([moved, moved[:1] + np.float32(0.05)])
        scores = rng.random(count + 1).astype(np.float32)
        detections.append(Detections(more, np.append(labels, labels[0]), scores))
    return detections, annotations


@pytest.mark.parametrize("seed", range(5))
def test_a_draw_has_the_metrics_of_its_images(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssd.evaluation.bootstrap._MOST_CELLS", 40)  # one or two draws at a time
    detections, annotations = _set(seed)
    times = draw_images(12, 3, seed)
    found = resampled(detections, annotations, CLASSES, times)
    for draw, counts in enumerate(times):
        rows = np.repeat(np.arange(12), counts).tolist()
        expected = evaluate([detections[i] for i in rows], [annotations[i] for i in rows], tuple("abc"))
        for name in METRICS:
            assert found.metrics[name][draw] == pytest.approx(expected.metrics[name], abs=1e-9), name
        for label, row in enumerate(expected.per_class):
            assert found.ap[label, draw] == pytest.approx(np.nan if row.ap is None else row.ap, abs=1e-9, nan_ok=True)


def _difference(
    one: list[Detections], other: list[Detections], annotations: list[Annotation], draws: int
) -> Difference:
    times = draw_images(len(annotations), draws)
    both = [resampled(found, annotations, CLASSES, times).metrics["mAP"] for found in (one, other)]
    found = difference(both[:1], both[1:])
    assert found is not None
    return found


def test_a_detector_is_no_better_than_itself() -> None:
    detections, annotations = _set(0)
    assert _difference(detections, detections, annotations, 50) == (0, 0, 0, 0, 1)


def _exact(annotations: list[Annotation]) -> list[Detections]:
    return [Detections(item.boxes, item.labels, np.ones(len(item.labels), np.float32)) for item in annotations]


def test_a_better_detector_is_told_from_chance() -> None:
    detections, annotations = _set(1, 60)
    better = _difference(detections, _exact(annotations), annotations, 200)
    assert better.value > better.low > 0.1
    assert better.high > better.value
    assert better.p == 1 / 200
    worse = _difference(_exact(annotations), detections, annotations, 200)
    assert worse.value == pytest.approx(-better.value)
    assert str(Difference(0.0123, 0.004, 0.0, 0.0, 0.01)) == "+1.2 ± 0.4 (p = 0.010)"


def test_of_two_that_differ_in_one_image_neither_is_sure() -> None:
    detections, annotations = _set(2, 20)
    exact = _exact(annotations)
    found = _difference(exact, [*exact[:-1], detections[-1]], annotations, 300)
    assert found.value < 0
    assert found.p > CHANCE


def test_of_several_trainings_the_mean_counts() -> None:
    draws = [np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.4, 0.7]), np.array([0.5, 0.5, 0.5])]
    found = difference(draws[:2], draws[2:])
    assert found is not None
    assert found.value == pytest.approx(0.3)
    assert found.deviation == pytest.approx(np.std([0.2, 0.0], ddof=1))
    assert difference([np.array([np.nan, 0.1, 0.2])], [np.zeros(3)]) is None  # no object to find


def test_sets_of_other_images_cannot_be_paired() -> None:
    detections, annotations = _set(0)
    with pytest.raises(ValueError, match="Draws of 12 images do not fit detections of 11"):
        resampled(detections[:11], annotations, CLASSES, draw_images(12, 2))
