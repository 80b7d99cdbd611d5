"""Random objects and pictures, and looking at what was drawn."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.data.sample import Annotation
from ssd.inference.detections import Detections


def names_of(count: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(count))


def random_annotation(rng: np.random.Generator, classes: int, count: int, name: str = "image") -> Annotation:
    sides = rng.uniform(0.05, 0.4, (count, 2))
    corners = rng.uniform(0, 1 - sides)
    return Annotation(
        id=name,
        height=90,
        width=120,
        boxes=np.concatenate([corners, corners + sides], axis=1).astype(np.float32),
        labels=rng.integers(0, classes, count).astype(np.int32),
        difficult=rng.random(count) < 0.2,
        crowd=rng.random(count) < 0.2,
        areas=np.full(count, 100, np.float32),
    )


def as_detections(annotation: Annotation, score: float = 0.9) -> Detections:
    return Detections(annotation.boxes, annotation.labels, np.full(len(annotation.labels), score, np.float32))


def picture(rng: np.random.Generator, height: int = 90, width: int = 120) -> NDArray[np.uint8]:
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def read_png(path: Path) -> NDArray[np.uint8]:
    assert path.read_bytes().startswith(b"\x89PNG")
    image = cv2.imread(str(path))
    assert image is not None
    assert min(image.shape[:2]) > 20
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.uint8)


def has_colour(image: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool((image == colour).all(axis=-1).any())
