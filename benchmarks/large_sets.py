"""Seconds and memory to the first batch of a training on sets as large as COCO and VOC, beside a small one.

    python benchmarks/large_sets.py                       # makes the sets in a temporary folder: 1 GB, 300,000 files
    python benchmarks/large_sets.py --sets boxes --images 20000

Each set is started twice in a process of its own with a network of three convolutions, from the start of the process to
the first batch: the second start finds what the first left in the cache, which is an empty folder at the beginning.
`shapes` is the same start with 17 drawn images. All images of a set are hard links to one small JPEG.
"""

import argparse
import importlib.abc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
HEIGHT, WIDTH = 240, 320
CLASSES = 80
BOXES_AN_IMAGE = 7.3
CORNERS = 28  # of a polygon
VOC_SHARE = 0.144  # of the COCO sets' images: 17,000 of 118,000
VAL_SHARE = 0.042  # beside them: 5,000


def coco(folder: Path, images: int, polygons: bool) -> list[str]:
    """A COCO set of two JSON files and a folder each; gives its overrides."""
    overrides = ["dataset=coco_json"]
    for split, count in (("train", images), ("val", round(images * VAL_SHARE))):
        _link_images(folder / split, count)
        file = folder / f"instances_{split}.json"
        _write_instances(file, count, polygons)
        overrides += [f"dataset.{split}_annotations={file}", f"dataset.{split}_images={folder / split}"]
    return overrides


def voc(folder: Path, images: int) -> list[str]:
    """A folder in VOC layout without lists; gives its overrides."""
    _link_images(folder / "JPEGImages", images)
    (folder / "Annotations").mkdir()
    rng = np.random.default_rng(0)
    for i in range(images):
        objects = "".join(
            f"<object><name>class{rng.integers(20)}</name><pose>Left</pose><truncated>0</truncated>"
            f"<difficult>0</difficult><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin><xmax>{x + w}</xmax>"
            f"<ymax>{y + h}</ymax></bndbox></object>"
            for x, y, w, h in _boxes(rng, int(rng.integers(1, 5))).astype(int).tolist()
        )
        (folder / "Annotations" / f"{i:012d}.xml").write_text(
            f"<annotation><folder>VOC</folder><filename>{i:012d}.jpg</filename><size><width>{WIDTH}</width>"
            f"<height>{HEIGHT}</height><depth>3</depth></size><segmented>0</segmented>{objects}</annotation>"
        )
    return ["dataset=voc_folder", f"dataset.path={folder}"]


def _link_images(folder: Path, count: int) -> None:
    """Hard links, some thousands to a file as file systems have a limit."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT // 16, WIDTH // 16, 3), np.uint8)
    data = cv2.imencode(".jpg", cv2.resize(pixels, (WIDTH, HEIGHT)))[1].tobytes()
    for i in range(count):
        file = folder / f"{i:012d}.jpg"
        if i % 10_000 == 0:
            (first := file).write_bytes(data)
        else:
            os.link(first, file)


def _boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    """(N, 4) x, y, width, height in pixels, inside the image."""
    sides = rng.uniform(4, 120, (count, 2))
    corners = rng.uniform(0, 1, (count, 2)) * ((WIDTH, HEIGHT) - sides)
    return np.concatenate([corners, sides], axis=1).round(2)


def _write_instances(file: Path, images: int, polygons: bool) -> None:
    with file.open("w") as out:
        listed = (
            {
                "license": 3,
                "file_name": f"{i:012d}.jpg",
                "coco_url": f"http://images.example.org/train/{i:012d}.jpg",
                "height": HEIGHT,
                "width": WIDTH,
                "date_captured": "2013-11-14 11:18:45",
                "id": i,
            }
            for i in range(images)
        )
        out.write('{"info": {"description": "drawn at random"}, "images": [')
        _write_joined(out, listed)
        out.write('], "annotations": [')
        _write_joined(out, _objects(images, polygons))
        categories = [{"supercategory": "thing", "id": k + 1, "name": f"class{k}"} for k in range(CLASSES)]
        out.write(f'], "categories": {json.dumps(categories)}}}')


def _objects(images: int, polygons: bool) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(0)
    number = 0
    for image, count in enumerate(rng.poisson(BOXES_AN_IMAGE, images).tolist()):
        labels = rng.integers(1, CLASSES + 1, count).tolist()
        for box, label in zip(_boxes(rng, count).tolist(), labels, strict=True):
            number += 1
            corners = (rng.random((CORNERS, 2)) * box[2:] + box[:2]).round(2).ravel().tolist() if polygons else []
            area = round(box[2] * box[3] * 0.7, 5)
            yield {"segmentation": [corners], "area": area, "iscrowd": 0, "image_id": image, "bbox": box,
                   "category_id": label, "id": number}  # fmt: skip


def _write_joined(out: Any, items: Iterator[dict[str, Any]]) -> None:
    for i, item in enumerate(items):
        out.write((", " if i else "") + json.dumps(item))


def start(overrides: list[str], place: Path) -> tuple[float, float]:
    """Seconds from the start of a process to the first batch, and the most memory until then in MB (10^6 bytes)."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]),
        "XDG_CACHE_HOME": str(place / "cache"),
    }
    command = [sys.executable, __file__, "--until-first-batch", *overrides]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    seconds, memory = done.stdout.split()[-2:]
    return float(seconds), float(memory)


def until_first_batch(overrides: list[str]) -> None:
    """Runs the command until the training's first batch is there; prints seconds and memory, and ends the process."""
    from helpers.tiny import TINY
    from ssd.cli.main import main

    sys.meta_path.insert(0, _Watched())
    tiny = [item for item in TINY if not item.startswith("dataset.") or "dataset=shapes" in overrides]
    raise SystemExit(main([*tiny, "training.limit_batches=2", "tracking.uri=sqlite:///mlflow.db", *overrides]))


class _Watched(importlib.abc.MetaPathFinder):
    """Puts itself before the pipeline when it is about to be used: it is imported late, as in any other start."""

    def find_spec(self, name: str, path: Any, target: Any = None) -> None:
        if name == "ssd.experiment.build":
            from ssd.data.pipeline import Batches

            original = Batches.epoch

            def epoch(*args: Any, **kwargs: Any) -> Iterator[Any]:
                next(original(*args, **kwargs))
                seconds = time.time() - psutil.Process().create_time()
                memory = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
                print(f"{seconds:.2f} {memory:.0f}", flush=True)
                os._exit(0)

            Batches.epoch = epoch  # type: ignore[method-assign]


def main() -> None:
    """Prints one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=["boxes", "polygons", "voc"], choices=["boxes", "polygons", "voc"])
    parser.add_argument("--images", type=int, default=118_000, help="of each COCO set; the VOC set has a seventh")
    given = parser.parse_args()
    table = Table("", "first start, s", "MB", "second start, s", "MB", title=f"{given.images} images")
    with tempfile.TemporaryDirectory() as place:
        make = {
            "boxes": lambda folder: coco(folder, given.images, polygons=False),
            "polygons": lambda folder: coco(folder, given.images, polygons=True),
            "voc": lambda folder: voc(folder, round(given.images * VOC_SHARE)),
        }
        sets = {"shapes": ["dataset=shapes"]} | {name: make[name](Path(place) / name) for name in given.sets}
        for name, overrides in sets.items():
            starts = [start(overrides, Path(place)) for _ in range(2)]
            table.add_row(name, *(text for pair in starts for text in (f"{pair[0]:.1f}", f"{pair[1]:.0f}")))
    Console().print(table)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--until-first-batch"]:
        until_first_batch(sys.argv[2:])
    else:
        main()
