"""Any folder in the layout of Pascal VOC: Annotations/*.xml, JPEGImages/*, optionally ImageSets/Main/*.txt."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ssd.data.images import EXTENSIONS, ImageFiles, image_size
from ssd.data.problems import RAISE, Problems
from ssd.data.readers.annotations import Objects, build_annotations
from ssd.data.readers.names import check_class_names
from ssd.data.readers.voc_leftovers import mention_leftovers
from ssd.data.readers.voc_splits import split_stems
from ssd.data.readers.voc_xml import VOCFile, parse_voc_xml
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """One split before its classes are known."""

    name: str
    source: str  # the data set's name and its own
    xmls: list[Path]
    files: list[VOCFile]
    images: list[Path]
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
    problems = Problems(on_error)
    images = _image_index(root / "JPEGImages", problems)
    stems = split_stems(root, train, val, val_fraction, seed)
    parts = [
        _read_part(root, _Part(split, f"{name}:{split}", [], [], [], []), stems[split], images, problems)
        for split in dict.fromkeys((train, val))
    ]
    names = _class_names(parts, class_names, root)
    parts = [_of_classes(part, names, problems) for part in parts]
    mention_leftovers(root, images, [stem for split in dict.fromkeys((train, val)) for stem in stems[split]], problems)
    built = {part.name: _dataset(part, names, problems) for part in parts}
    return Splits(built[train], built[val], problems.noted)


def _nearby(root: Path) -> str:
    found = sorted(folder.parent for depth in ("*", "*/*") for folder in root.glob(f"{depth}/Annotations"))
    return f", perhaps {found[0]}" if found else ""


def _image_index(folder: Path, problems: Problems) -> dict[str, Path]:
    """Lower-case file names (`a.jpg`) and stems (`a`) → image file; several of one stem are said."""
    index: dict[str, Path] = {}
    twice: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        if file.suffix.lower() in EXTENSIONS:
            index.setdefault(file.name.lower(), file)
            if index.setdefault(file.stem.lower(), file) is not file:
                twice.setdefault(file.stem.lower(), file)
    for stem, other in twice.items():
        text = (
            f"{index[stem].name} and {other.name} in {folder} have one name: of the two the one in <filename> is taken."
        )
        problems.mention("image-ambiguous", text, other)
    if twice:
        stem, other = next(iter(twice.items()))
        log.warning(
            "%s: %d names have several images, such as %s and %s; the one in <filename> is taken, else the first.",
            *(folder, len(twice), index[stem].name, other.name),
        )
    return index


def _read_part(root: Path, part: _Part, stems: list[str], images: dict[str, Path], problems: Problems) -> _Part:
    """The part with all of its files that can be used."""
    seen: set[str] = set()
    for xml in [root / "Annotations" / f"{stem}.xml" for stem in stems]:
        kind = "annotation-unreadable" if xml.exists() else "annotation-missing"
        try:
            file = parse_voc_xml(xml, problems)
            kind = "image-missing"
            image = _image_of(xml, file, images)
            kind = "listed-twice"
            if image.name in seen:
                raise UserError(f"{part.source} lists the image {image.name} twice: keep it once.")
            kind = "image-unreadable"
            size = image_size(image)
        except UserError as error:
            problems.leave_out(kind, error, image if kind == "image-unreadable" else xml)
            continue
        seen.add(image.name)
        part.xmls.append(xml)
        part.files.append(file)
        part.images.append(image)
        part.sizes.append(size)
    return part


def _image_of(xml: Path, file: VOCFile, images: dict[str, Path]) -> Path:
    """The image of the annotation's own stem, else `<filename>`, which is often stale after files were renamed."""
    named = images.get(file.filename.lower())
    found = named if named is not None and named.stem.lower() == xml.stem.lower() else images.get(xml.stem.lower())
    found = found or named
    if found is None:
        raise UserError(
            f"The annotation {xml} has no image: neither {xml.stem} with {', '.join(EXTENSIONS)} nor its <filename> "
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


def _dataset(part: _Part, class_names: tuple[str, ...], problems: Problems) -> Dataset:
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

    ids = [image.name for image in part.images]
    annotations = build_annotations(ids, part.sizes, objects, describe, part.source, problems, place)
    return Dataset(part.source, class_names, annotations, ImageFiles(part.images))


def _warn_about_sizes(part: _Part, problems: Problems) -> None:
    """A stated size that differs from the image's may mean that the images were resized and their boxes were not."""
    pairs = zip(part.files, part.sizes, strict=True)
    wrong = [i for i, (file, size) in enumerate(pairs) if all(file.size) and file.size != size]
    for i in wrong:
        said, true = (f"{width} x {height}" for height, width in (part.files[i].size, part.sizes[i]))
        text = f"{part.xmls[i]} says {said} pixels, and {part.images[i].name} has {true}."
        problems.mention("size-mismatch", text, part.xmls[i])
    if wrong:
        first = wrong[0]
        log.warning(
            "%s: %d annotations state another size than their image has; the image decides. The first is %s: "
            "height and width %s, image %s.",
            *(part.source, len(wrong), part.xmls[first], part.files[first].size, part.sizes[first]),
        )
