"""Small archives in the layout of COCO 2017, for the tests of its reader and its recipes."""

import json
import zipfile
from pathlib import Path
from typing import Any

from helpers.fake_voc import encoded_image

CATEGORIES = [number for number in range(1, 91) if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)]
NAMES = {1: "person", 3: "car", 17: "cat", 18: "dog", 90: "toothbrush"}  # the others are named by their number
SIZE = (40, 50)  # height and width of every image

# Image id → objects of (category, bbox, area, iscrowd); boxes are x, y, width, height in pixels.
Objects = dict[int, list[tuple[int, list[float], float, int]]]
TRAIN: Objects = {
    9: [(18, [2.25, 3.5, 20.125, 30.0], 350.75, 0), (1, [0.0, 0.0, 50.0, 40.0], 1500.0, 1)],
    25: [(90, [10, 5, 30, 20], 0.4, 0), (3, [1.5, 1.5, 8.2, 9.3], 70.2, 0)],
    30: [],
    34: [(1, [5.37, 4.01, 44.63, 35.99], 1000.5, 0), (17, [3.0, 3.0, 12.0, 0.0], 0.0, 0)],
}
VAL: Objects = {139: [(18, [4.5, 4.5, 30.5, 28.25], 600.3, 0)], 285: [(1, [20, 10, 20, 25], 400.0, 0)], 632: []}


def instances(images: Objects) -> dict[str, Any]:
    """The content of an instances JSON, with all 80 categories and the gaps in their ids."""
    height, width = SIZE
    found = [(image, *item) for image, items in images.items() for item in items]
    return {
        "images": [
            {"id": image, "file_name": f"{image:012d}.jpg", "height": height, "width": width} for image in images
        ],
        "categories": [{"id": number, "name": NAMES.get(number, f"class {number}")} for number in CATEGORIES],
        "annotations": [
            {"id": 100 + k, "image_id": image, "category_id": category, "bbox": box, "area": area, "iscrowd": crowd}
            for k, (image, category, box, area, crowd) in enumerate(found)
        ],
    }


def write_official_archives(folder: Path, train: Objects | None = None, val: Objects | None = None) -> Path:
    """train2017.zip, val2017.zip and annotations_trainval2017.zip with few, small images."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {"train2017": TRAIN if train is None else train, "val2017": VAL if val is None else val}
    with zipfile.ZipFile(folder / "annotations_trainval2017.zip", "w") as annotations:
        for split, images in contents.items():
            annotations.writestr(f"annotations/instances_{split}.json", json.dumps(instances(images)))
            annotations.writestr(f"annotations/captions_{split}.json", "{}")
            with zipfile.ZipFile(folder / f"{split}.zip", "w") as archive:
                for image in images:
                    archive.writestr(f"{split}/{image:012d}.jpg", encoded_image(*SIZE, seed=image))
    return folder
