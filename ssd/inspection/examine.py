"""All checks of a data set, in the order in which a report tells them."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ssd.data.look import Look
from ssd.data.sample import Dataset, Splits
from ssd.inspection.boxes import check_boxes
from ssd.inspection.classes import check_classes
from ssd.inspection.duplicates import check_duplicates
from ssd.inspection.finding import Finding, Shown
from ssd.inspection.objects import objects_of
from ssd.inspection.pictures import check_pictures

_MISFITS = ("box-clipped", "box-outside")


def parts_of(splits: Splits) -> list[Dataset]:
    """The splits, once where one is both."""
    return [splits.train] if splits.train is splits.val else [splits.train, splits.val]


def examine(splits: Splits, looks: Sequence[Sequence[Look]], image_size: int) -> list[Finding]:
    """Everything that can be told without a detector.

    Args:
        splits: of the data set, read with `on_error="skip"`, so that its problems are all there.
        looks: one for each image of `parts_of(splits)`.
        image_size: side in pixels of the square that the network sees.
    """
    told = chain.from_iterable(check_annotations(splits, image_size))
    return [*from_reader(splits, looks), *told, *check_images(splits, looks)]


def check_annotations(splits: Splits, image_size: int) -> list[Sequence[Finding]]:
    """What annotations alone tell, in a moment: the part that precedes every training. Those of a part have one kind.

    Args:
        splits: of the data set.
        image_size: side in pixels of the square that the network sees.
    """
    columns = {part: objects_of(part) for part in parts_of(splits)}
    of_boxes = [found for part, objects in columns.items() for found in check_boxes(part, objects, image_size)]
    of_classes = check_classes(splits, [columns[splits.train], columns[splits.val]])
    return [*of_boxes, *([finding] for finding in of_classes)]


def check_images(splits: Splits, looks: Sequence[Sequence[Look]]) -> list[Finding]:
    """What the images tell.

    Args:
        splits: of the data set.
        looks: one for each image of `parts_of(splits)`.
    """
    parts = parts_of(splits)
    stems = {Path(problem.file).stem for problem in splits.problems if problem.kind in _MISFITS}
    findings = []
    for part, found in zip(parts, looks, strict=True):
        misfits = {i for i in range(len(part)) if Path(part.where(i)).stem in stems}
        findings += check_pictures(part, found, misfits)
    return [*findings, *check_duplicates(parts, looks)]


def from_reader(splits: Splits, looks: Sequence[Sequence[Look]]) -> list[Finding]:
    """What the reader noted, with the image where there is one."""
    images: dict[str, tuple[Shown, Look]] = {}
    for part, found in zip(parts_of(splits), looks, strict=True):
        images |= {Path(part.where(i)).stem: (Shown(part.name, i), look) for i, look in enumerate(found)}
    findings = []
    for problem in splits.problems:
        shown, look = images.get(Path(problem.file).stem, (None, Look(error="no such image")))
        places = [shown] if shown is not None and not look.error else []
        findings.append(Finding(problem.kind, problem.text, problem.file, problem.object, places))
    return findings
