"""Detecting objects in a user's images."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import cv2
from omegaconf import DictConfig
from rich import get_console
from rich.progress import track

from ssd.data.images import decode_image
from ssd.device import set_memory_growth
from ssd.errors import UserError
from ssd.experiment import build
from ssd.figures.drawing import draw_detections
from ssd.inference.detections import Detections
from ssd.inference.predictor import Predictor
from ssd.runs.files import write_json

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
BATCH_SIZE = 8


def run(cfg: DictConfig, folder: Path) -> float:
    """Writes each image with its detections drawn, and detections.json, into `folder`; gives the number of objects."""
    set_memory_growth(cfg.gpu_memory_growth)
    source = Path(cfg.source)
    files = image_files(source)
    model = build.load_trained(cfg)
    predictor = Predictor(model, model.nms, batch_size=min(BATCH_SIZE, len(files)))
    records: list[dict[str, Any]] = []
    seconds = 0.0
    for part in track(
        list(_parts(files, BATCH_SIZE)), "predicting", transient=True, disable=not get_console().is_terminal
    ):
        images = [decode_image(file.read_bytes(), str(file)) for file in part]
        start = monotonic()
        found = [detections.above(cfg.task.score_threshold) for detections in predictor.predict(images)]
        seconds += monotonic() - start
        for file, image, detections in zip(part, images, found, strict=True):
            name = file.relative_to(source if source.is_dir() else source.parent)
            target = folder / name.with_name(f"{name.stem}{name.suffix.replace('.', '_')}.jpg")
            target.parent.mkdir(parents=True, exist_ok=True)
            drawn = draw_detections(image, detections, predictor.class_names)
            cv2.imwrite(str(target), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
            records.append(as_record(file, image.shape[:2], detections, predictor.class_names))
            log.info("%s: %s", file, _in_words(detections, predictor.class_names))
    write_json(folder / "detections.json", {"images": records})
    log.info("%d images in %.1f s; pictures and detections.json are in %s", len(files), seconds, folder)
    return float(sum(len(record["objects"]) for record in records))


def image_files(source: Path) -> list[Path]:
    """The image itself, or all images in a folder and its folders, sorted by name.

    Raises:
        UserError: where the folder holds no image.
    """
    if source.is_file():
        return [source]
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not files:
        raise UserError(
            f"source={source} holds no image ({', '.join(IMAGE_SUFFIXES)}); give an image or a folder of images"
        )
    return files


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


def _parts(files: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]


def _in_words(detections: Detections, class_names: Sequence[str]) -> str:
    """E.g. "3 cat, 1 dog"."""
    names = [class_names[label] for label in detections.labels]
    return ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names)) or "nothing"
