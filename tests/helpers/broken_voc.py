"""A folder in VOC layout, sound or with one fault of every kind, each in an image of its own."""

import shutil
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from helpers.fake_voc import item, write_voc

CLASSES = ("Platelets", "RBC", "WBC")
NAMED = (*CLASSES, "rbc", "WBCs", "Platelts", "background", "Parasite", "Blast", "Crystal", "Ghost")  # not: Alien
SIZE = (120, 160)
TRAIN, VAL = [f"train{i:02d}" for i in range(80)], [f"val{i:02d}" for i in range(20)]
END = b"\xff\xd9"


def write_sound(root: Path, seed: int = 0) -> Path:
    """Smooth pictures, no two alike, with an object of each class in each."""
    rng = np.random.default_rng(seed)
    boxes = {"Platelets": (5, 5, 40, 40), "RBC": (60, 10, 110, 70), "WBC": (50, 75, 130, 115)}
    items = [item(name, *corners) for name, corners in boxes.items()]
    write_voc(root, dict.fromkeys([*TRAIN, *VAL], items), {"trainval": TRAIN, "test": VAL}, SIZE)
    for stem in (*TRAIN, *VAL):
        coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
        picture = cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(root / "JPEGImages" / f"{stem}.jpg"), picture)
    return root


class Breaker:
    """Plants faults in a sound folder and counts what is to be found.

    Args:
        root: of the folder; its lists are trainval and test.
        left_alone: stems of images that are not touched.
    """

    def __init__(self, root: Path, left_alone: Collection[str] = ()) -> None:
        self.root, self.expected = root, Counter[str]()
        self._train, self._val = (
            iter([stem for stem in self.listed(split) if stem not in left_alone]) for split in ("trainval", "test")
        )

    def listed(self, split: str) -> list[str]:
        return (self.root / "ImageSets" / "Main" / f"{split}.txt").read_text().split()

    def list_too(self, split: str, stem: str) -> None:
        with (self.root / "ImageSets" / "Main" / f"{split}.txt").open("a") as file:
            file.write(f"{stem}\n")

    def train(self) -> str:
        return next(self._train)

    def val(self) -> str:
        return next(self._val)

    def xml(self, stem: str) -> Path:
        return self.root / "Annotations" / f"{stem}.xml"

    def image(self, stem: str) -> Path:
        return self.root / "JPEGImages" / f"{stem}.jpg"

    def copy(self, stem: str, new: str) -> str:
        shutil.copy(self.xml(stem), self.xml(new))
        shutil.copy(self.image(stem), self.image(new))
        return new

    def edit(self, stem: str, change: Callable[[ElementTree.Element], object]) -> None:
        tree = ElementTree.parse(self.xml(stem))
        change(tree.getroot())
        tree.write(self.xml(stem))

    def name(self, stem: str, name: str) -> None:
        """Gives the first object another class."""
        self.edit(stem, lambda root: _set(root, "object/name", name))

    def box(self, stem: str, corners: Callable[[int, int], tuple[float, float, float, float]]) -> None:
        """Gives the first object another box, from the image's width and height."""

        def change(root: ElementTree.Element) -> None:
            values = corners(int(root.findtext("size/width") or 0), int(root.findtext("size/height") or 0))
            for key, value in zip(("xmin", "ymin", "xmax", "ymax"), values, strict=True):
                _set(root, f"object/bndbox/{key}", str(value))

        self.edit(stem, change)

    def again(self, stem: str, change: Callable[[ElementTree.Element], object]) -> None:
        """Adds the first object once more, changed."""

        def add(root: ElementTree.Element) -> None:
            first = root.find("object")
            assert first is not None
            twin = ElementTree.fromstring(ElementTree.tostring(first))
            change(twin)
            root.append(twin)

        self.edit(stem, add)

    def content(self, stem: str, change: Callable[[bytes], bytes]) -> None:
        self.image(stem).write_bytes(change(self.image(stem).read_bytes()))

    def picture(self, stem: str, change: Callable[[Image.Image], Image.Image], **options: object) -> None:
        with Image.open(self.image(stem)) as image:
            changed = change(image.convert("RGB"))
        changed.save(self.image(stem), **options)  # type: ignore[arg-type]


def plant(folder: Breaker) -> Counter[str]:
    """One fault of every kind that a folder in VOC layout can have; gives what is to be found of each."""
    for faults in (_files, _images, _objects, _classes, _duplicates):
        folder.expected += faults(folder)
    return folder.expected


def _files(f: Breaker) -> Counter[str]:
    f.xml(f.train()).write_text("<annotation><object>")
    gone = f.train()
    f.xml(gone).unlink()
    f.image(gone).unlink()
    f.copy(f.train(), "in_no_list")
    f.image(f.train()).unlink()
    shutil.copy(f.image(f.train()), f.image("without_xml"))
    twin = f.train()
    f.image(twin).with_suffix(".png").write_bytes(f.image(twin).read_bytes())
    f.list_too("trainval", f.train())
    return Counter(
        {
            "annotation-unreadable": 1,
            "annotation-missing": 1,
            "annotation-unlisted": 1,
            "image-missing": 1,
            "image-unlabelled": 1,
            "image-ambiguous": 1,
            "listed-twice": 1,
        }
    )


def _images(f: Breaker) -> Counter[str]:
    f.content(f.train(), lambda data: data[: len(data) * 9 // 10])
    f.content(f.val(), lambda data: data[:-2])
    f.content(f.train(), lambda data: b"")
    f.content(f.train(), lambda data: b"no image at all")
    f.content(f.train(), lambda data: data[:-2] + b"garbage!!" * 5 + END)
    f.picture(f.train(), lambda image: Image.new("RGB", image.size, (90, 90, 90)))
    f.edit(f.train(), lambda root: _set(root, "size/width", "999"))
    turned = f.train()
    f.picture(turned, lambda image: image, exif=_exif(6))
    f.box(turned, lambda w, h: (w // 4, h - h // 4, w // 2, h + h // 8))
    f.edit(turned, lambda root: root.remove(root.find("size")))  # type: ignore[arg-type]
    f.picture(f.train(), lambda image: image, exif=_exif(3))
    return Counter(
        {"image-unreadable": 4, "image-damaged": 1, "image-blank": 1, "size-mismatch": 1, "exif-rotated": 1}
        | {"exif-tag": 1, "box-clipped": 1}
    )


def _objects(f: Breaker) -> Counter[str]:
    f.name(f.train(), " ")
    f.edit(f.train(), lambda root: root.find("object").remove(root.find("object/bndbox")))  # type: ignore
    f.box(f.train(), lambda w, h: ("five", 5, 20, 20))  # type: ignore[arg-type,return-value]
    f.box(f.train(), lambda w, h: (float("nan"), 5, 20, 20))
    f.box(f.train(), lambda w, h: (40, 5, 10, 20))
    f.box(f.train(), lambda w, h: (40, 5, 39, 20))
    f.box(f.val(), lambda w, h: (w + 5, 5, w + 30, 30))
    f.box(f.train(), lambda w, h: (w // 2, 5, w + 9, h // 2))
    f.box(f.train(), lambda w, h: (9, 9, 9, 9))
    f.box(f.train(), lambda w, h: (2, 10, round(w * 0.6), 9 + -(-h * 5 // 300)))
    f.box(f.train(), lambda w, h: (1, 1, w, h))
    f.again(f.train(), lambda twin: None)
    f.again(f.val(), lambda twin: _set(twin, "bndbox/xmax", str(int(twin.findtext("bndbox/xmax") or 0) - 1)))
    f.again(f.train(), lambda twin: _set(twin, "name", "RBC" if twin.findtext("name") != "RBC" else "WBC"))
    return Counter(
        {
            "object-malformed": 3,
            "box-not-finite": 1,
            "box-inverted": 2,
            "box-outside": 1,
            "box-clipped": 1,
            "box-tiny": 1,
            "box-thin": 1,
            "box-whole-image": 1,
            "object-twice": 1,
            "object-nearly-twice": 1,
            "object-two-classes": 1,
        }
    )


def _classes(f: Breaker) -> Counter[str]:
    for name in ("rbc", "WBCs", "Platelts", "background", "Alien"):
        f.name(f.train(), name)
    for _ in range(3):
        f.name(f.train(), "Parasite")
    f.name(f.val(), "Parasite")
    f.name(f.val(), "Blast")
    for _ in range(10):
        f.name(f.train(), "Crystal")
    return Counter(
        {"class-alike": 3, "class-background": 1, "class-unknown": 1, "class-rare": 1, "class-only-in-val": 1}
        | {"class-only-in-train": 1, "class-without-objects": 1}
    )


def _duplicates(f: Breaker) -> Counter[str]:
    f.edit(f.train(), _remove_objects)
    f.list_too("test", f.train())
    f.list_too("trainval", f.copy(f.train(), "same"))
    f.list_too("test", f.copy(f.train(), "same_in_test"))
    other = f.copy(f.train(), "otherwise")
    f.edit(other, lambda root: root.remove(root.find("object")))  # type: ignore[arg-type]
    f.list_too("trainval", other)
    for new, split in (("alike", "trainval"), ("alike_in_test", "test")):
        f.picture(f.copy(f.train(), new), lambda image: image.point(lambda level: round(level * 0.8)), quality=60)
        f.list_too(split, new)
    cut = f.copy(f.train(), "mirrored_and_cut")
    f.picture(cut, lambda image: ImageOps.mirror(image).crop((5, 3, image.width - 2, image.height - 4)), quality=70)
    f.edit(cut, lambda root: root.remove(root.find("size")))  # type: ignore[arg-type]
    f.edit(cut, _remove_objects)
    f.list_too("test", cut)
    return Counter(
        {
            "image-without-objects": 2,  # and the mirrored one
            "image-in-both-splits": 1,
            "duplicate": 1,
            "duplicate-across-splits": 1,
            "duplicate-annotated-otherwise": 1,
            "near-duplicate": 1,
            "near-duplicate-across-splits": 2,
        }
    )


def _set(root: ElementTree.Element, path: str, text: str) -> None:
    node = root.find(path)
    assert node is not None
    node.text = text


def _remove_objects(root: ElementTree.Element) -> None:
    for node in root.findall("object"):
        root.remove(node)


def _exif(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
