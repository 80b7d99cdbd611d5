"""Which images are in which split of a folder in VOC layout: by the lists in ImageSets/Main, or drawn at random."""

import logging
from pathlib import Path

import numpy as np

from ssd.data.readers.names import check_file_name
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)


def split_stems(root: Path, train: str, val: str, val_fraction: float, seed: int) -> dict[str, list[str]]:
    """Names of the annotations in each split.

    Args:
        root: the folder with Annotations and, perhaps, ImageSets/Main.
        train, val: names of files there, without `.txt`.
        val_fraction, seed: of the random split, where it has none.

    Raises:
        UserError: a list is missing, no text, empty, or names something outside of the folder.
    """
    annotated = sorted(
        check_file_name(file.stem, f"{root / 'Annotations'} has a file")
        for file in (root / "Annotations").glob("*.xml")
    )
    lists = {file.stem: file for file in sorted((root / "ImageSets" / "Main").glob("*.txt"))}
    if not lists:
        return _random_split(root, annotated, train, val, val_fraction, seed)
    return {split: _listed(split, lists, key, set(annotated)) for key, split in (("train", train), ("val", val))}


def _listed(split: str, lists: dict[str, Path], key: str, annotated: set[str]) -> list[str]:
    if split not in lists:
        raise UserError(
            f"dataset.{key}={split} is not a split in {next(iter(lists.values())).parent}{nearest(split, lists)}"
        )
    lines = [line.strip() for line in _text(lists[split]).splitlines()]
    # The devkit's per-class lists have a second column, -1, 0 or 1; a name of the user's may have spaces in it.
    stems = [line if line in annotated else line.split()[0] for line in lines if line]
    if not stems:
        raise UserError(f"The split {lists[split]} is empty: list the names of its images, one a line.")
    return [check_file_name(stem, f"The split {lists[split]} lists") for stem in stems]


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UserError(
            f"The split {file} cannot be read ({error.strerror}): it must be a text file with the names of its images, "
            "one a line."
        ) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else f"not UTF-8 (byte {error.start + 1})"
        raise UserError(
            f"The split {file} is {kind}: save it as text in UTF-8, with the names of its images, one a line."
        ) from None


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
