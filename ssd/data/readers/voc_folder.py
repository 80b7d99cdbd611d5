"""Any folder in the layout of Pascal VOC: Annotations/*.xml, JPEGImages/*, optionally ImageSets/Main/*.txt."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ssd.data.annotations import Annotations
from ssd.data.images import ImageFiles, image_size
from ssd.data.kept import Parsed, kept
from ssd.data.orientation import annotated_size
from ssd.data.problems import RAISE, Problems
from ssd.data.readers.annotations import Objects, build_annotations
from ssd.data.readers.files import FilesIn
from ssd.data.readers.names import check_class_names
from ssd.data.readers.voc_leftovers import mention_leftovers
from ssd.data.readers.voc_splits import split_stems
from ssd.data.readers.voc_xml import VOCFile, parse_voc_xml
from ssd.data.sample import Dataset, Splits
from ssd.data.suffixes import IMAGE_SUFFIXES
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """One split before its classes are known."""

    name: str
    source: str  # the data set's name and its own
    xmls: list[Path]
    files: list[VOCFile]
    images: list[str]
    sizes: list[tuple[int, int]]


def voc_folder(
    path: str,
    train: str,
    val: str,
    class_names: Sequence[str] | None,
    val_fraction: float,
    seed: int,
    name: str = "voc_folder",
    on_error: str = RAISE,
) -> Splits:
    """Reads a folder in VOC layout; every annotation is parsed now, images only when asked for.

    Args:
        path: the folder that has `Annotations` and `JPEGImages`.
        train, val: names of files in `ImageSets/Main`, without `.txt`. Where that folder has none, all annotated
            images are split at random instead.
        class_names: in label order, or None: all names found in both splits, sorted.
        val_fraction, seed: of the random split.
        name: of the data set, for people.
        on_error: "skip": what cannot be used is left out and noted in the splits' `problems`.

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
    if class_names is not None:
        check_class_names(class_names, "dataset.class_names")
    names = list(class_names) if class_names is not None else None
    problems = Problems(on_error)

    def read() -> Parsed:
        return _parsed(root, train, val, names, val_fraction, seed, name, problems)

    if problems.skips:  # what is left out is to be told again: it is not kept
        found = read()
    else:
        settings = ["voc_folder", name, str(root), train, val, names, val_fraction, seed]
        found = kept(settings, [root / part for part in ("Annotations", "JPEGImages", "ImageSets/Main")], read)
    built = {part: _dataset(found, part, root, name) for part in found.parts}
    return Splits(built[train], built[val], problems.noted)


def _parsed(
    root: Path,
    train: str,
    val: str,
    class_names: Sequence[str] | None,
    val_fraction: float,
    seed: int,
    name: str,
    problems: Problems,
) -> Parsed:
    images = _image_index(root / "JPEGImages", problems)
    stems = split_stems(root, train, val, val_fraction, seed)
    parts = [
        _read_part(root, _Part(split, f"{name}:{split}", [], [], [], []), stems[split], images, problems)
        for split in dict.fromkeys((train, val))
    ]
    names = _class_names(parts, class_names, root)
    parts = [_of_classes(part, names, problems) for part in parts]
    if problems.skips:
        mention_leftovers(root, images, [stem for part in parts for stem in stems[part.name]], problems)
    return Parsed(names, {part.name: _annotations(part, names, problems) for part in parts})


def _dataset(found: Parsed, part: str, root: Path, name: str) -> Dataset:
    annotations = found.parts[part]
    return Dataset(
        f"{name}:{part}", found.class_names, annotations, ImageFiles(FilesIn(root / "JPEGImages", annotations.ids))
    )


def _nearby(root: Path) -> str:
    found = sorted(folder.parent for depth in ("*", "*/*") for folder in root.glob(f"{depth}/Annotations"))
    return f", perhaps {found[0]}" if found else ""


def _image_index(folder: Path, problems: Problems) -> dict[str, str]:
    """Lower-case file names (`a.jpg`) and stems (`a`) → name of the image file; several of one stem are said."""
    index: dict[str, str] = {}
    twice: dict[str, str] = {}
    for name in sorted(os.listdir(folder)):
        stem, extension = os.path.splitext(name.lower())
        if extension in IMAGE_SUFFIXES:
            index.setdefault(name.lower(), name)
            if index.setdefault(stem, name) is not name:
                twice.setdefault(stem, name)
    for stem, other in twice.items():
        text = f"{index[stem]} and {other} in {folder} have one name: of the two the one in <filename> is taken."
        problems.mention("image-ambiguous", text, folder / other)
    if twice:
        stem, other = next(iter(twice.items()))
        log.warning(
            "%s: %d names have several images, such as %s and %s; the one in <filename> is taken, else the first.",
            *(folder, len(twice), index[stem], other),
        )
    return index


def _read_part(root: Path, part: _Part, stems: list[str], images: dict[str, str], problems: Problems) -> _Part:
    """The part with all of its files that can be used."""
    seen: set[str] = set()
    for xml in [root / "Annotations" / f"{stem}.xml" for stem in stems]:
        kind, path = "annotation-unreadable" if not problems.skips or xml.exists() else "annotation-missing", xml
        try:
            file = parse_voc_xml(xml, problems)
            kind = "image-missing"
            image = _image_of(xml, file, images)
            kind = "listed-twice"
            if image in seen:
                raise UserError(f"{part.source} lists the image {image} twice: keep it once.")
            kind, path = "image-unreadable", root / "JPEGImages" / image
            size = annotated_size(path, image_size(path), file.size)
        except UserError as error:
            problems.leave_out(kind, error, path)
            continue
        seen.add(image)
        part.xmls.append(xml)
        part.files.append(file)
        part.images.append(image)
        part.sizes.append(size)
    return part


def _image_of(xml: Path, file: VOCFile, images: dict[str, str]) -> str:
    """The image of the annotation's own stem, else `<filename>`, which is often stale after files were renamed."""
    named = images.get(file.filename.lower())
    stem = xml.stem.lower()
    is_its_own = named is not None and os.path.splitext(named)[0].lower() == stem
    found = named if is_its_own else images.get(stem) or named
    if found is None:
        raise UserError(
            f"The annotation {xml} has no image: neither {xml.stem} with {', '.join(IMAGE_SUFFIXES)} nor its "
            f"<filename> {file.filename!r} is in {xml.parent.parent / 'JPEGImages'}; add the image or drop it from the "
            "split."
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
    return tuple(given)


def _of_classes(part: _Part, class_names: Sequence[str], problems: Problems) -> _Part:
    """The part without objects of other classes."""
    for xml, file in zip(part.xmls, part.files, strict=True):
        for item in file.objects:
            if item.name not in class_names:
                error = UserError(
                    f"The annotation {xml} has the class {item.name}, which dataset.class_names does not list"
                    f"{nearest(item.name, class_names)}"
                )
                problems.leave_out("class-unknown", error, xml, item.number)
    files = [replace(file, objects=[item for item in file.objects if item.name in class_names]) for file in part.files]
    return replace(part, files=files)


def _annotations(part: _Part, class_names: tuple[str, ...], problems: Problems) -> Annotations:
    labels = {class_name: label for label, class_name in enumerate(class_names)}
    _warn_about_sizes(part, problems)
    objects, where = Objects(), []
    for row, file in enumerate(part.files):
        for item in file.objects:
            objects.add(row, item.box, labels[item.name], difficult=item.difficult)
            where.append((row, item.number))

    def describe(i: int) -> str:
        row, number = where[i]
        return f"object {number} ({class_names[objects.label[i]]}) in {part.xmls[row]}"

    def place(i: int) -> tuple[Path, int]:
        row, number = where[i]
        return part.xmls[row], number

    return build_annotations(part.images, part.sizes, objects, describe, part.source, problems, place)


def _warn_about_sizes(part: _Part, problems: Problems) -> None:
    """A stated size that differs from the image's may mean that the images were resized and their boxes were not."""
    pairs = zip(part.files, part.sizes, strict=True)
    wrong = [i for i, (file, size) in enumerate(pairs) if all(file.size) and file.size != size]
    for i in wrong:
        said, true = (f"{width} x {height}" for height, width in (part.files[i].size, part.sizes[i]))
        text = f"{part.xmls[i]} says {said} pixels, and {part.images[i]} has {true}."
        problems.mention("size-mismatch", text, part.xmls[i])
    if wrong:
        first = wrong[0]
        log.warning(
            "%s: %d annotations state another size than their image has; the image decides. The first is %s: "
            "height and width %s, image %s.",
            *(part.source, len(wrong), part.xmls[first], part.files[first].size, part.sizes[first]),
        )
