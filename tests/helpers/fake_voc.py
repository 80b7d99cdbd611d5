"""Small folders and archives in the layout of Pascal VOC, for the tests of the readers."""

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

# Class, xmin, ymin, xmax, ymax as written in the file (text, so that a test can write nonsense), difficult.
Item = tuple[str, str, str, str, str, bool]

OFFICIAL = {
    "VOCtrainval_06-Nov-2007.tar": ("2007", {"train": ["000005", "000007"], "val": ["000009"]}),
    "VOCtest_06-Nov-2007.tar": ("2007", {"test": ["000001", "000002"]}),
    "VOCtrainval_11-May-2012.tar": ("2012", {"train": ["2008_000008"], "val": ["2008_000002", "2008_000003"]}),
}


def item(name: str, *corners: float | str, difficult: bool = False) -> Item:
    """An object with the corners xmin, ymin, xmax, ymax."""
    xmin, ymin, xmax, ymax = (str(corner) for corner in corners)
    return name, xmin, ymin, xmax, ymax, difficult


def encoded_image(height: int, width: int, extension: str = ".jpg", seed: int = 0) -> bytes:
    """A noisy image file's content."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


def annotation_xml(filename: str, size: tuple[int, int], items: Sequence[Item]) -> str:
    """The text of an annotation; `size` is height and width."""
    objects = "".join(
        f"<object><name>{name}</name><pose>Left</pose><truncated>0</truncated><difficult>{int(difficult)}</difficult>"
        f"<bndbox><xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object>"
        for name, xmin, ymin, xmax, ymax, difficult in items
    )
    return (
        f"<annotation><folder>VOC</folder><filename>{filename}</filename><size><width>{size[1]}</width>"
        f"<height>{size[0]}</height><depth>3</depth></size><segmented>0</segmented>{objects}</annotation>"
    )


def write_voc(
    root: Path,
    images: Mapping[str, Sequence[Item]],
    splits: Mapping[str, Sequence[str]] | None = None,
    size: tuple[int, int] = (40, 50),
) -> Path:
    """Writes Annotations, JPEGImages and, where given, ImageSets/Main under `root`; `images` maps stems to objects."""
    for folder in ("Annotations", "JPEGImages"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for seed, (stem, items) in enumerate(images.items()):
        (root / "Annotations" / f"{stem}.xml").write_text(annotation_xml(f"{stem}.jpg", size, items))
        (root / "JPEGImages" / f"{stem}.jpg").write_bytes(encoded_image(*size, seed=seed))
    if splits is not None:
        (root / "ImageSets" / "Main").mkdir(parents=True, exist_ok=True)
        for split, stems in splits.items():
            (root / "ImageSets" / "Main" / f"{split}.txt").write_text("".join(f"{stem}\n" for stem in stems))
    return root


def write_official_archives(folder: Path) -> Path:
    """The official tar files with few, small images: each image has a dog, every second one a difficult person too."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, (year, splits) in OFFICIAL.items():
        stems = [stem for listed in splits.values() for stem in listed]
        images = {
            stem: [item("dog", 2 + k, 3, 20 + k, 30)] + [item("person", 1, 1, 50, 40, difficult=True)] * (k % 2)
            for k, stem in enumerate(stems)
        }
        lists = {**splits, **({"trainval": stems} if "train" in splits else {})}
        root = write_voc(folder / f"unpacked {file}" / "VOCdevkit" / f"VOC{year}", images, lists)
        for split, listed in lists.items():
            rows = "".join(f"{stem} {1 if k % 2 else -1:2d}\n" for k, stem in enumerate(listed))
            (root / "ImageSets" / "Main" / f"person_{split}.txt").write_text(rows)
        for extra in ("ImageSets/Layout", "ImageSets/Segmentation", "SegmentationClass", "SegmentationObject"):
            (root / extra).mkdir(parents=True)
            (root / extra / "000005.txt").write_text("")
        with tarfile.open(folder / file, "w") as archive:
            archive.add(root.parent, "VOCdevkit")
    return folder
