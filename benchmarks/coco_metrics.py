"""How long COCO's metrics take on a set as large as COCO's validation split, beside pycocotools.

    python benchmarks/coco_metrics.py

5000 images, 80 classes, about 7 objects and 100 detections per image, drawn at random; pycocotools gets its records
ready-made. Ends with an error if one of the numbers differs in a single bit.
"""

import contextlib
import io
import time

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from rich.console import Console
from rich.table import Table

from ssd.data.sample import Annotation
from ssd.evaluation.coco import coco_results
from ssd.inference.detections import Detections

IMAGES, CLASSES, OBJECTS, FOUND = 5000, 80, 7, 100
HEIGHT, WIDTH = 512, 640


def random_image(rng: np.random.Generator) -> tuple[Detections, Annotation]:
    """Objects of few classes, half of the detections near them with higher scores, half astray."""
    labels = rng.choice(rng.integers(0, CLASSES, 3), rng.poisson(OBJECTS)).astype(np.int32)
    sides = np.exp(rng.uniform(np.log(0.03), np.log(0.7), (len(labels), 2)))
    corners = rng.uniform(0, 1 - sides)
    near = rng.integers(0, len(labels), FOUND // 2 if len(labels) else 0)
    astray = FOUND - len(near)
    found_sides = np.concatenate(
        [sides[near] * rng.uniform(0.8, 1.25, (len(near), 2)), rng.uniform(0.03, 0.5, (astray, 2))]
    )
    found_corners = np.concatenate(
        [corners[near] + rng.normal(0, 0.02, (len(near), 2)), rng.uniform(0, 0.5, (astray, 2))]
    )
    scores = np.concatenate([rng.beta(2, 2, len(near)), rng.beta(1, 12, astray)])
    found_labels = np.concatenate([labels[near], rng.integers(0, CLASSES, astray)])
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


def indexed(annotations: list[dict[str, object]]) -> COCO:
    """pycocotools' data set of these records."""
    coco = COCO()
    images = [{"id": image} for image in range(IMAGES)]
    coco.dataset = {"images": images, "categories": [{"id": k} for k in range(CLASSES)], "annotations": annotations}
    coco.createIndex()
    return coco


def with_pycocotools(detections: list[Detections], annotations: list[Annotation]) -> tuple[list[float], float]:
    """Its twelve numbers and the seconds it took."""
    truth: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for image, (one, objects) in enumerate(zip(detections, annotations, strict=True)):
        of_objects = {"category_id": objects.labels, "iscrowd": objects.crowd.astype(int), "area": objects.areas}
        truth += records(objects.boxes, of_objects, image, len(truth) + 1)
        found += records(one.boxes, {"category_id": one.labels, "score": one.scores}, image, len(found) + 1)
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(indexed(truth), indexed(found), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats.tolist(), time.perf_counter() - begin


def main() -> None:
    """Prints one table."""
    rng = np.random.default_rng(0)
    detections, annotations = (list(column) for column in zip(*(random_image(rng) for _ in range(IMAGES)), strict=True))
    begin = time.perf_counter()
    ours = list(coco_results(detections, annotations, CLASSES).metrics.values())
    seconds = time.perf_counter() - begin
    reference, reference_seconds = with_pycocotools(detections, annotations)
    table = Table("", "seconds", "mAP", title=f"{IMAGES} images, {CLASSES} classes, {FOUND} detections per image")
    table.add_row("ssd.evaluation.coco", f"{seconds:.1f}", repr(ours[0]))
    table.add_row("pycocotools", f"{reference_seconds:.1f}", repr(reference[0]))
    Console().print(table)
    if ours != reference:
        raise SystemExit(f"error: the numbers differ: {ours} and {reference}")


if __name__ == "__main__":
    main()
