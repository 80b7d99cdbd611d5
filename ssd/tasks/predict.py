"""Detecting objects in a user's images."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from ssd.console import counting, waiting
from ssd.data.damage import decode_files, say_damaged
from ssd.data.images import MAX_PIXELS
from ssd.data.suffixes import say_unread
from ssd.device import set_memory_growth
from ssd.experiment import build
from ssd.figures.drawing import draw_detections
from ssd.inference.detections import Detections
from ssd.inference.predictor import Predictor
from ssd.inference.sources import ImageFile, image_files, unread_files
from ssd.runs.files import whole, write_json

log = logging.getLogger(__name__)

BATCH_SIZE = 8


def run(cfg: DictConfig, folder: Path) -> float:
    """Writes each image, upright, with its detections drawn, and detections.json, into `folder`; counts the objects."""
    set_memory_growth(cfg.gpu_memory_growth)
    files = image_files(cfg.source)
    with waiting("loading the detector"):
        model = build.load_trained(cfg)
    nms = replace(model.nms, score_threshold=min(model.nms.score_threshold, cfg.score_threshold))
    predictor = Predictor(model, nms, batch_size=min(BATCH_SIZE, len(files)))
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    records: list[dict[str, Any]] = []
    seconds, damaged = 0.0, list[str]()
    with counting("predicting", len(files)) as advance:
        for part in _parts(files, BATCH_SIZE):
            images, damaged_here = decode_files([file.path for file in part], limit)
            damaged += damaged_here
            start = monotonic()
            found = [detections.above(cfg.score_threshold) for detections in predictor.predict(images)]
            seconds += monotonic() - start
            for file, image, detections in zip(part, images, found, strict=True):
                drawn = draw_detections(image, detections, predictor.class_names)
                _write_picture(drawn, folder / file.place)
                records.append(as_record(file.path, image.shape[:2], detections, predictor.class_names))
                log.info("%s: %s", file.path, _in_words(detections, predictor.class_names))
                advance()
    say_damaged(damaged)
    say_unread(unread_files(cfg.source))
    write_json(folder / "detections.json", {"images": records})
    log.info("%d images in %.1f s; pictures and detections.json are in %s", len(files), seconds, folder)
    return float(sum(len(record["objects"]) for record in records))


def as_record(file: Path, size: tuple[int, int], detections: Detections, class_names: Sequence[str]) -> dict[str, Any]:
    """One image's detections for detections.json: boxes in pixels as xmin, ymin, xmax, ymax."""
    height, width = size
    return {
        "file": str(file),
        "height": height,
        "width": width,
        "objects": [
            {
                "class": class_names[label],
                "score": round(float(score), 4),
                "box": [round(float(v), 1) for v in (box[1] * width, box[0] * height, box[3] * width, box[2] * height)],
            }
            for box, label, score in zip(detections.boxes, detections.labels, detections.scores, strict=True)
        ],
    }


def _write_picture(image: NDArray[np.uint8], place: Path) -> None:
    """As a JPEG whose name tells the image's kind; from bytes, as OpenCV cannot open files of every name everywhere."""
    encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    with whole(place.with_name(f"{place.stem}{place.suffix.replace('.', '_')}.jpg")) as part:
        part.write_bytes(encoded.tobytes())


def _parts(files: Sequence[ImageFile], size: int) -> Iterator[Sequence[ImageFile]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _in_words(detections: Detections, class_names: Sequence[str]) -> str:
    """E.g. "3 cat, 1 dog"."""
    names = [class_names[label] for label in detections.labels]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "nothing"
