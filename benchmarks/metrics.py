"""How long the metrics of large sets take, beside pycocotools, for `evaluation.py`.

Objects and detections are drawn at random; pycocotools gets its records ready-made.
"""

import contextlib
import io
import time
from typing import NamedTuple

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.table import Table

from ssd.data.sample import Annotation
from ssd.evaluation.evaluate import evaluate
from ssd.inference.detections import Detections

HEIGHT, WIDTH = 512, 640


class Size(NamedTuple):
    """Of a set: objects per image on average, and detections of every image."""

    name: str
    images: int
    classes: int
    objects: float
    found: int


SIZES = (Size("VOC 2007 test", 4952, 20, 2.43, 200), Size("COCO val2017", 5000, 80, 7.4, 100))


def random_image(rng: np.random.Generator, size: Size) -> tuple[Detections, Annotation]:
    """Objects of few classes, half of the detections near them with higher scores, half astray."""
    labels = rng.choice(rng.integers(0, size.classes, 3), rng.poisson(size.objects)).astype(np.int32)
    sides = np.exp(rng.uniform(np.log(0.03), np.log(0.7), (len(labels), 2)))
    corners = rng.uniform(0, 1 - sides)
    near = rng.integers(0, len(labels), size.found // 2 if len(labels) else 0)
    astray = size.found - len(near)
    found_sides = np.concatenate(
        [sides[near] * rng.uniform(0.8, 1.25, (len(near), 2)), rng.uniform(0.03, 0.5, (astray, 2))]
    )
    found_corners = np.concatenate(
        [corners[near] + rng.normal(0, 0.02, (len(near), 2)), rng.uniform(0, 0.5, (astray, 2))]
    )
    scores = np.concatenate([rng.beta(2, 2, len(near)), rng.beta(1, 12, astray)])
    found_labels = np.concatenate([labels[near], rng.integers(0, size.classes, astray)])
    order = np.argsort(-scores)
    annotation = Annotation(
        "image",
        HEIGHT,
        WIDTH,
        np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        labels,
        np.zeros(len(labels), np.bool_),
        rng.random(len(labels)) < 0.02,
        (sides.prod(axis=1) * HEIGHT * WIDTH * 0.7).astype(np.float32),
    )
    boxes = np.concatenate([found_corners, found_corners + found_sides], axis=1)[order]
    return Detections(
        boxes.astype(np.float32), found_labels[order].astype(np.int32), scores[order].astype(np.float32)
    ), annotation


def records(boxes: np.ndarray, columns: dict[str, np.ndarray], image: int, first_id: int) -> list[dict[str, object]]:
    """COCO's records of one image's boxes."""
    corners = boxes.astype(np.float64) * np.array([HEIGHT, WIDTH] * 2)
    xywh = np.concatenate([corners[:, 1::-1], corners[:, :1:-1] - corners[:, 1::-1]], axis=1)
    columns = {"bbox": xywh, "area": xywh[:, 2] * xywh[:, 3]} | columns
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        {"id": first_id + k, "image_id": image} | dict(zip(columns, row, strict=True)) for k, row in enumerate(rows)
    ]


def indexed(annotations: list[dict[str, object]], size: Size) -> COCO:
    """pycocotools' data set of these records."""
    coco = COCO()
    images = [{"id": image} for image in range(size.images)]
    coco.dataset = {
        "images": images,
        "categories": [{"id": k} for k in range(size.classes)],
        "annotations": annotations,
    }
    coco.createIndex()
    return coco


def with_pycocotools(
    detections: list[Detections], annotations: list[Annotation], size: Size
) -> tuple[list[float], float]:
    """Its twelve numbers and the seconds it took."""
    truth: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for image, (one, objects) in enumerate(zip(detections, annotations, strict=True)):
        of_objects = {"category_id": objects.labels, "iscrowd": objects.crowd.astype(int), "area": objects.areas}
        truth += records(objects.boxes, of_objects, image, len(truth) + 1)
        found += records(one.boxes, {"category_id": one.labels, "score": one.scores}, image, len(found) + 1)
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(indexed(truth, size), indexed(found, size), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist(), time.perf_counter() - begin


def metrics_table() -> Table:
    """Seconds of all metrics here, VOC's, COCO's and the confusion matrix, and of COCO's alone with pycocotools."""
    table = Table("as large as", "images", "detections", "all metrics, s", "pycocotools, s", "x", title="metrics")
    for size in SIZES:
        rng = np.random.default_rng(0)
        pairs = [random_image(rng, size) for _ in range(size.images)]
        detections, annotations = [found for found, _ in pairs], [objects for _, objects in pairs]
        begin = time.perf_counter()
        metrics = evaluate(detections, annotations, [str(k) for k in range(size.classes)]).metrics
        seconds = time.perf_counter() - begin
        reference, theirs = with_pycocotools(detections, annotations, size)
        if (ours := list(metrics.values())[-len(reference) :]) != reference:
            raise SystemExit(f"error: the numbers differ: {ours} and {reference}")
        table.add_row(
            size.name,
            f"{size.images:,}",
            f"{size.images * size.found:,}",
            f"{seconds:.1f}",
            f"{theirs:.1f}",
            f"{theirs / seconds:.1f}",
        )
    return table
