"""Draws the scenes of the `shapes` data set: coloured, turned, overlapping shapes on textured backgrounds."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CLASS_NAMES = ("circle", "cross", "ring", "square", "star", "triangle")

_ASPECTS = (1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3)  # width / height
_EMPTY = 0.06  # of the images have no object
_COUNTS = (1, 2, 3, 4, 5, 6)
_COUNT_WEIGHTS = (0.2, 0.25, 0.22, 0.15, 0.1, 0.08)
_SIDES = (0.12, 0.3, 0.6)  # least, most frequent and largest longer side of an object, of the image's longer side
_MIN_VISIBLE = 0.6  # of an object's own area, after the image's border and the objects in front of it
_MIN_CONTRAST = 110.0  # distance in RGB between a shape and what is behind it
_TRIALS = 20  # places tried per object; a full image gets fewer objects
_OVERSAMPLING = 4
_SUBPIXEL = 4  # fractional bits of the coordinates given to OpenCV


@dataclass(frozen=True, eq=False)
class Scene:
    """A drawn image.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        boxes: (N, 4) int64 pixels ymin, xmin, ymax, xmax, maxima excluded: exactly around the pixels that can be seen.
        labels: (N,) int64, index into CLASS_NAMES.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.int64]
    labels: NDArray[np.int64]


def draw_scene(rng: np.random.Generator, size: int) -> Scene:
    """Draws one scene whose longer side has `size` pixels. At least 60 % of every object's area can be seen."""
    aspect = rng.choice(_ASPECTS)
    height, width = (size, round(size * aspect)) if aspect < 1 else (round(size / aspect), size)
    canvas = _background(rng, height, width)
    count = 0 if rng.random() < _EMPTY else int(rng.choice(_COUNTS, p=_COUNT_WEIGHTS))
    visible: list[NDArray[np.bool_]] = []
    areas: list[float] = []
    labels: list[int] = []
    for _ in range(count):
        label = int(rng.integers(len(CLASS_NAMES)))
        placed = _place(rng, CLASS_NAMES[label], size, (height, width), visible, areas)
        if placed is None:
            continue
        alpha, area = placed
        _paint(rng, canvas, alpha)
        covered = alpha >= 0.5
        visible = [mask & ~covered for mask in visible] + [covered]
        areas.append(area)
        labels.append(label)
    boxes = np.array([_tight_box(mask) for mask in visible], np.int64).reshape(-1, 4)
    image = canvas + np.float32(rng.uniform(1.0, 7.0)) * rng.standard_normal(canvas.shape, np.float32)
    return Scene(np.clip(np.rint(image), 0, 255).astype(np.uint8), boxes, np.array(labels, np.int64))


def _background(rng: np.random.Generator, height: int, width: int) -> NDArray[Any]:
    """(H, W, 3) float32: muted, blurred patches, sometimes stripes."""
    cells = rng.integers(2, 9, size=2)
    base, spread = rng.uniform(60, 200) + rng.normal(0, 12, size=3), rng.uniform(5, 25)
    patches = (base + rng.normal(0, spread, (*cells, 3))).astype(np.float32)
    method = cv2.INTER_NEAREST if rng.random() < 0.15 else cv2.INTER_CUBIC
    canvas = cv2.resize(patches, (width, height), interpolation=method)
    if rng.random() < 0.35:
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        angle, period = rng.uniform(0, np.pi), rng.uniform(6, 40)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * (2 * np.pi / period))
        canvas = canvas + (wave * rng.uniform(4, 14)).astype(np.float32)[..., None]
    return np.clip(canvas, 0, 255).astype(np.float32)


def _outline(rng: np.random.Generator, name: str) -> list[NDArray[np.float64]]:
    """Polygons, (K, 2) x, y each, around the origin; a second one is a hole."""
    if name in ("circle", "ring"):
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return [circle] if name == "circle" else [circle, circle * rng.uniform(0.5, 0.68)]
    if name == "cross":
        a = rng.uniform(0.26, 0.38)
        quarter = np.array([(a, 1), (a, a), (1, a)])  # corners of one arm and a half, turned three times
        quarters = [quarter, quarter[::-1] * (1, -1), quarter * (-1, -1), quarter[::-1] * (-1, 1)]
        return [np.concatenate(quarters)]
    points, inner = {"square": (4, 1.0), "triangle": (3, 1.0), "star": (5, rng.uniform(0.38, 0.48))}[name]
    turn = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False)
    radius = np.where(np.arange(2 * points) % 2 == 0, 1.0, inner)
    star = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius[:, None]
    return [star if name == "star" else star[::2]]


def _place(
    rng: np.random.Generator,
    name: str,
    size: int,
    shape: tuple[int, int],
    visible: list[NDArray[np.bool_]],
    areas: list[float],
) -> tuple[NDArray[np.float32], float] | None:
    """Coverage (H, W) in [0, 1] of a new shape, and its area with what the border cuts; None: no place was found."""
    height, width = shape
    for _ in range(_TRIALS):
        side = rng.triangular(*_SIDES) * size
        polygons = _outline(rng, name)
        angle, stretch = rng.uniform(0, 2 * np.pi), rng.uniform(0.82, 1.22)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        polygons = [polygon @ turn * (stretch, 1.0) for polygon in polygons]
        scale = side / np.ptp(polygons[0], axis=0).max()
        # Up to a seventh of the side may fall outside the image.
        reach = 0.36 * side
        centre = rng.uniform((reach, reach), (max(width - reach, reach + 1), max(height - reach, reach + 1)))
        alpha, area = _rasterise([polygon * scale + centre for polygon in polygons], height, width)
        covered = alpha >= 0.5
        hidden = any((mask & ~covered).sum() < _MIN_VISIBLE * own for mask, own in zip(visible, areas, strict=True))
        if covered.sum() >= _MIN_VISIBLE * area and not hidden:
            return alpha, area
    return None


def _rasterise(polygons: list[NDArray[np.float64]], height: int, width: int) -> tuple[NDArray[Any], float]:
    """Anti-aliased coverage in the image, and the area of the whole shape in pixels, border or not."""
    alpha = np.zeros((height, width), np.float32)
    low = np.clip(np.floor(polygons[0].min(axis=0)), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(polygons[0].max(axis=0)), low + 1, (width, height)).astype(int)
    columns, rows = (high - low).tolist()
    # Filled at several times the size and averaged: OpenCV's own anti-aliasing makes shapes a pixel wider.
    mask = np.zeros((rows * _OVERSAMPLING, columns * _OVERSAMPLING), np.uint8)
    area = 0.0
    for polygon, value in zip(polygons, (255, 0), strict=False):
        # Pixel i spans i to i + 1 here; OpenCV puts its centre at i.
        points = np.rint(((polygon - low) * _OVERSAMPLING - 0.5) * 2**_SUBPIXEL).astype(np.int32)
        cv2.fillPoly(mask, [points], value, cv2.LINE_8, _SUBPIXEL)
        area += cv2.contourArea(polygon.astype(np.float32)) * (1 if value else -1)
    small = cv2.resize(mask, (columns, rows), interpolation=cv2.INTER_AREA)
    alpha[low[1] : high[1], low[0] : high[0]] = small.astype(np.float32) / 255
    return alpha, area


def _paint(rng: np.random.Generator, canvas: NDArray[np.float32], alpha: NDArray[np.float32]) -> None:
    """Blends a shaded, lightly textured colour that stands out from what is behind it into the canvas, in place."""
    ymin, xmin, ymax, xmax = _tight_box(alpha > 0)
    area, cover = canvas[ymin:ymax, xmin:xmax], alpha[ymin:ymax, xmin:xmax, None]
    behind = (area * cover).sum(axis=(0, 1)) / cover.sum()
    colour = rng.uniform(10, 245, size=3)
    while np.linalg.norm(colour - behind) < _MIN_CONTRAST:
        colour = rng.uniform(10, 245, size=3)
    height, width = cover.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    shade = (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)) * rng.uniform(0, 50)
    grain = cv2.resize(rng.normal(0, rng.uniform(0, 14), (5, 5)).astype(np.float32), (width, height))
    fill = np.clip(colour.astype(np.float32) + (shade + grain)[..., None], 0, 255)
    area += cover * (fill - area)


def _tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """ymin, xmin, ymax, xmax around the true pixels of a mask that has some, maxima excluded."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
