"""Any folder in the layout of Pascal VOC: Annotations/*.xml, JPEGImages/*, optionally ImageSets/Main/*.txt."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ssd.data.images import ImageFiles, image_size
from ssd.data.readers.annotations import Objects, build_annotations
from ssd.data.readers.voc_xml import VOCFile, parse_voc_xml
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)

_EXTENSIONS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class _Part:
    """One split before its classes are known."""

    name: str
    xmls: list[Path]
    files: list[VOCFile]
    images: list[Path]


def voc_folder(
    path: str,
    train: str,
    val: str,
    class_names: Sequence[str] | None,
    val_fraction: float,
    seed: int,
    name: str = "voc_folder",
) -> Splits:
    """Reads a folder in VOC layout; every annotation is parsed now, images only when asked for.

    Args:
        path: the folder that has `Annotations` and `JPEGImages`.
        train, val: names of files in `ImageSets/Main`, without `.txt`. Where that folder has none, all annotated
            images are split at random instead.
        class_names: in label order, or None: all names found in both splits, sorted.
        val_fraction, seed: of the random split.
        name: of the data set, for people.

    Raises:
        UserError: something is missing, empty, unreadable or contradictory; nothing is left out silently.
    """
    root = Path(path).expanduser()
    for folder in ("Annotations", "JPEGImages"):
        if not (root / folder).is_dir():
            raise UserError(
                f"dataset.path={path} has no folder {folder}: give the folder that holds Annotations and JPEGImages"
                f"{_nearby(root)}."
            )
    images = _image_index(root / "JPEGImages")
    stems = _split_stems(root, train, val, val_fraction, seed)
    parts = [_read_part(root, split, stems[split], images) for split in dict.fromkeys((train, val))]
    names = _class_names(parts, class_names, root)
    built = {part.name: _dataset(part, names, name) for part in parts}
    return Splits(built[train], built[val])


def _nearby(root: Path) -> str:
    found = sorted(folder.parent for depth in ("*", "*/*") for folder in root.glob(f"{depth}/Annotations"))
    return f", perhaps {found[0]}" if found else ""


def _image_index(folder: Path) -> dict[str, Path]:
    """Lower-case file names (`a.jpg`) and stems (`a`) → image file."""
    index: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in _EXTENSIONS:
            index.setdefault(file.name.lower(), file)
            index.setdefault(file.stem.lower(), file)
    return index


def _split_stems(root: Path, train: str, val: str, val_fraction: float, seed: int) -> dict[str, list[str]]:
    """Names of the annotations in each split, from ImageSets/Main or at random."""
    annotated = sorted(file.stem for file in (root / "Annotations").glob("*.xml"))
    lists = {file.stem: file for file in sorted((root / "ImageSets" / "Main").glob("*.txt"))}
    if not lists:
        return _random_split(root, annotated, train, val, val_fraction, seed)
    stems = {key: _listed(split, lists, key, set(annotated)) for key, split in (("train", train), ("val", val))}
    both = set(stems["train"]) & set(stems["val"])
    if both and train != val:
        log.warning(
            "%s: %d images are in %s and in %s too, such as %s: the validation is not a fair one.",
            *(root, len(both), train, val, min(both)),
        )
    return {train: stems["train"], val: stems["val"]}


def _listed(split: str, lists: dict[str, Path], key: str, annotated: set[str]) -> list[str]:
    if split not in lists:
        raise UserError(
            f"dataset.{key}={split} is not a split in {next(iter(lists.values())).parent}{nearest(split, lists)}"
        )
    lines = [line.strip() for line in lists[split].read_text(encoding="utf-8-sig").splitlines()]
    # The devkit's per-class lists have a second column, -1, 0 or 1; a name of the user's may have spaces in it.
    stems = [line if line in annotated else line.split()[0] for line in lines if line]
    if not stems:
        raise UserError(f"The split {lists[split]} is empty: list the names of its images, one a line.")
    return stems


def _random_split(
    root: Path, annotated: list[str], train: str, val: str, val_fraction: float, seed: int
) -> dict[str, list[str]]:
    if train == val:
        raise UserError(
            f"dataset.train and dataset.val are both {train}, but {root} has no ImageSets/Main/{train}.txt."
        )
    if not 0 < val_fraction < 1:
        raise UserError(f"dataset.val_fraction={val_fraction:g} must lie between 0 and 1, both excluded.")
    if len(annotated) < 2:
        raise UserError(f"{root / 'Annotations'} has {len(annotated)} XML files: a split needs at least two.")
    count = min(max(round(len(annotated) * val_fraction), 1), len(annotated) - 1)
    chosen = set(np.random.default_rng(seed).permutation(len(annotated))[:count].tolist())
    log.info("%s has no ImageSets/Main: %d of %d images, drawn with seed %d, are %s.",
             root, count, len(annotated), seed, val)  # fmt: skip
    return {
        train: [stem for i, stem in enumerate(annotated) if i not in chosen],
        val: [stem for i, stem in enumerate(annotated) if i in chosen],
    }


def _read_part(root: Path, split: str, stems: list[str], images: dict[str, Path]) -> _Part:
    xmls = [root / "Annotations" / f"{stem}.xml" for stem in stems]
    files = [parse_voc_xml(xml) for xml in xmls]
    return _Part(split, xmls, files, [_image_of(xml, file, images) for xml, file in zip(xmls, files, strict=True)])


def _image_of(xml: Path, file: VOCFile, images: dict[str, Path]) -> Path:
    """The image of the annotation's own stem, else `<filename>`, which is often stale after files were renamed."""
    found = images.get(xml.stem.lower()) or images.get(file.filename.lower())
    if found is None:
        raise UserError(
            f"The annotation {xml} has no image: neither {xml.stem} with {', '.join(_EXTENSIONS)} nor its <filename> "
            f"{file.filename!r} is in {xml.parent.parent / 'JPEGImages'}; add the image or drop it from the split."
        )
    return found


def _class_names(parts: Sequence[_Part], given: Sequence[str] | None, root: Path) -> tuple[str, ...]:
    if given is None:
        found = sorted({item.name for part in parts for file in part.files for item in file.objects})
        if not found:
            raise UserError(f"No annotation of the splits in {root} has an object, so there is no class to learn.")
        return tuple(found)
    if not given or len(set(given)) != len(given):
        raise UserError(f"dataset.class_names={list(given)} must name at least one class, and none of them twice.")
    for part in parts:
        for xml, file in zip(part.xmls, part.files, strict=True):
            for item in file.objects:
                if item.name not in given:
                    raise UserError(
                        f"The annotation {xml} has the class {item.name}, which dataset.class_names does not list"
                        f"{nearest(item.name, given)}"
                    )
    return tuple(given)


def _dataset(part: _Part, class_names: tuple[str, ...], name: str) -> Dataset:
    labels = {class_name: label for label, class_name in enumerate(class_names)}
    sizes = [image_size(image) for image in part.images]
    _warn_about_sizes(part, sizes, name)
    objects, where = Objects(), []
    for row, file in enumerate(part.files):
        for number, item in enumerate(file.objects, start=1):
            objects.add(row, item.box, labels[item.name], difficult=item.difficult)
            where.append((row, number))

    def describe(i: int) -> str:
        row, number = where[i]
        return f"object {number} ({class_names[objects.label[i]]}) in {part.xmls[row]}"

    source = f"{name}:{part.name}"
    annotations = build_annotations([image.name for image in part.images], sizes, objects, describe, source)
    return Dataset(source, class_names, annotations, ImageFiles(part.images))


def _warn_about_sizes(part: _Part, sizes: Sequence[tuple[int, int]], name: str) -> None:
    """A stated size that differs from the image's may mean that the images were resized and their boxes were not."""
    pairs = zip(part.files, sizes, strict=True)
    wrong = [i for i, (file, size) in enumerate(pairs) if all(file.size) and file.size != size]
    if wrong:
        first = wrong[0]
        log.warning(
            "%s:%s: %d annotations state another size than their image has; the image decides. The first is %s: "
            "height and width %s, image %s.",
            *(name, part.name, len(wrong), part.xmls[first], part.files[first].size, sizes[first]),
        )
