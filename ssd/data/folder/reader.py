"""A folder or an archive of images and labels from any tool: `dataset=folder dataset.path=WHERE`."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from ssd.data.folder.archive import SUFFIXES, UNPACKED, is_archive, unpacked
from ssd.data.folder.choice import Choice, choose
from ssd.data.folder.classes import class_names_of, renamed
from ssd.data.folder.division import divide
from ssd.data.folder.formats import FORMATS, detect
from ssd.data.folder.likeness import groups_of
from ssd.data.folder.listing import Listing, list_beside, list_folder
from ssd.data.folder.places import splits_of_siblings
from ssd.data.folder.recorded import read_recorded
from ssd.data.folder.records import Found, Notes
from ssd.data.folder.sizes import sizes_of, warn_about_sizes, with_sizes
from ssd.data.images import MAX_PIXELS, ImageFiles
from ssd.data.problems import RAISE, Problems
from ssd.data.readers.annotations import Objects, build_annotations, warn_of_empty
from ssd.data.rows import of_rows
from ssd.data.sample import Dataset, Splits
from ssd.data.suffixes import UNREAD_SUFFIXES, say_unread
from ssd.errors import UserError

log = logging.getLogger(__name__)

_FILES = (".json", ".csv", ".yaml", ".yml", ".data", ".record", ".tfrecord")
_LABELS = (*_FILES, ".xml")
_SHOWN_CLASSES = 20


def folder(
    path: str,
    format: str = "auto",
    train: str | None = None,
    val: str | None = None,
    class_names: Sequence[str] | None = None,
    val_fraction: float = 0.2,
    seed: int = 0,
    data_dir: str = "data",
    name: str = "folder",
    recorded: str | None = None,
    on_error: str = RAISE,
) -> Splits:
    """Reads what is there, says in three lines what that is, and gives the two parts of it.

    Args:
        path: a folder, a .zip or .tar, or one file of annotations.
        format: a name in `FORMATS`, or auto.
        train, val: names of splits, several with `+`; None: found (`choose`), and the validation made where it is not.
        class_names: in label order; None: those of the data.
        val_fraction, seed: of a validation part that is made.
        data_dir: where an archive is unpacked.
        name: of the data set, for people.
        recorded: the file with the split of an earlier run, which is taken where it fits.
        on_error: "skip": what cannot be used is left out and noted in the splits' `problems`.

    Raises:
        UserError: there is nothing to read, several formats, or something wrong in a file.
    """
    listing = _listing(_local(path), Path(data_dir).expanduser(), path)
    problems = Problems(on_error)
    notes = Notes(problems)
    kind, files = detect(listing, format, path)
    found = _read(kind, listing, files, notes)
    say_unread([listing.path(file) for file in listing.ending(*UNREAD_SUFFIXES)])
    if not found.pictures:
        notes.say(name)
        raise UserError(
            f"dataset.path={path} has {len(files):,} file{'s' if len(files) > 1 else ''} of {found.what}, and no image "
            f"that they belong to: {_where_from(listing)} the images beside, under the names that the labels have."
        )
    found = renamed(found, class_names)
    read = found.read or ImageFiles([listing.path(picture.place) for picture in found.pictures])
    settings = {"format": format, "train": train, "val": val, "val_fraction": val_fraction, "seed": seed}
    splits = found.splits or splits_of_siblings([picture.place for picture in found.pictures])
    choice = _recorded(found, recorded, settings, notes) or choose(
        splits, len(found.pictures), train, val, f"dataset.path={path}"
    )
    sizes = sizes_of(listing, found, sorted({*choice.train, *(choice.val or ())}), problems)
    choice = with_sizes(choice, sizes, path)
    choice, how = (choice, "") if choice.val is not None else _made(choice, found, read, sizes, val_fraction, seed)
    parts = (choice.train_name, choice.train), (choice.val_name, choice.val or ())
    names = class_names_of(found, [row for _, rows in parts for row in rows], class_names, path, problems)
    datasets = [_dataset(listing, found, read, rows, sizes, names, f"{name}:{part}", problems) for part, rows in parts]
    _say(found, choice, how, datasets)
    notes.say(name)
    return Splits(datasets[0], datasets[1], problems.noted)


def _read(kind: str, listing: Listing, files: Sequence[str], notes: Notes) -> Found:
    """What the format's reader gives; where it cannot go on, on_error=skip is said to be of no help."""
    try:
        return FORMATS[kind].read(listing, files, notes)  # type: ignore[no-any-return]
    except UserError as error:
        if not notes.problems.skips:
            raise
        said = str(error).rstrip(".")
        raise UserError(f"{said}; dataset.on_error=skip cannot help, as all labels depend on that file.") from None


def _local(path: str) -> Path:
    """A path as a user gives it: with `~`, or as a file manager copies it, `file:///home/me/my%20cells`."""
    is_address = path.startswith("file://")
    return Path(unquote(path.removeprefix("file://")) if is_address else path).expanduser()


def _listing(path: Path, data_dir: Path, given: str) -> Listing:
    if path.is_dir():
        own = os.path.relpath(data_dir / UNPACKED, path)  # of a data set that lies where the program is run
        listing = list_folder(path).without(own)
        inside = [file for file in listing.files if is_archive(Path(file))]
        if len(inside) == 1 and not listing.images and not listing.ending(*_LABELS):
            log.info("the only data in %s is %s", path, inside[0])
            return list_folder(unpacked(listing.path(inside[0]), data_dir))
        return listing
    if not path.is_file():
        raise UserError(f"dataset.path={given}: there is no such folder or archive; check the path.")
    if is_archive(path):
        return list_folder(unpacked(path, data_dir))
    if path.suffix.lower() in _FILES or ".record-" in path.name or ".tfrecord-" in path.name:
        return list_beside(path)
    raise UserError(
        f"dataset.path={given} is neither a folder nor an archive ({', '.join(SUFFIXES[:4])}) nor a file of "
        f"annotations ({', '.join(_FILES[:3])}): give the folder that holds the images and their labels."
    )


def _where_from(listing: Listing) -> str:
    archives = [file for file in listing.files if is_archive(Path(file))]
    return f"unpack {archives[0]}, if it has them, or put" if archives else "put"


def _recorded(found: Found, file: str | None, settings: Mapping[str, Any], notes: Notes) -> Choice | None:
    """The split of an earlier run, where it is one of these images: most of them are still there."""
    known = read_recorded(Path(file), settings) if file is not None else None
    if known is None:
        return None
    rows = {picture.place: row for row, picture in enumerate(found.pictures)}
    parts = [[rows[place] for place in part if place in rows] for part in known]
    if not all(parts) or sum(map(len, parts)) * 2 < sum(map(len, known)):
        return None
    for place in dict.fromkeys((*known[0], *known[1])):
        if place not in rows:
            notes.add(f"images of {file} are not there any more", place)
    unused = len(rows) - len({*parts[0], *parts[1]})
    return Choice("train", parts[0], "val", parts[1], {"others": unused} if unused else {})


def _made(
    choice: Choice,
    found: Found,
    read: Callable[[int], bytes],
    sizes: Mapping[int, tuple[int, int]],
    fraction: float,
    seed: int,
) -> tuple[Choice, str]:
    """With a validation part out of the images to train on, and how that was made."""
    pictures = [found.pictures[row] for row in choice.train]
    places = [picture.place for picture in pictures]
    groups = groups_of(places, lambda i: read(row) if prod(sizes[row := choice.train[i]]) <= MAX_PIXELS else b"")
    val = divide(places, [{item.name for item in picture.items} for picture in pictures], groups, fraction, seed)
    chosen = set(val)
    rest = [row for i, row in enumerate(choice.train) if i not in chosen]
    together = len(places) - len(np.unique(groups))
    alike = f", {together:,} near-duplicate{'s' if together > 1 else ''} together" if together else ""
    made = Choice(choice.train_name, rest, choice.val_name, [choice.train[i] for i in val], choice.unused)
    return made, f" (made: {fraction:.0%}, seed {seed}, by class{alike})"


def _dataset(
    listing: Listing,
    found: Found,
    read: Callable[[int], bytes],
    rows: Sequence[int],
    all_sizes: Mapping[int, tuple[int, int]],
    names: tuple[str, ...],
    name: str,
    problems: Problems,
) -> Dataset:
    pictures = [found.pictures[row] for row in rows]
    sizes = [all_sizes[row] for row in rows]
    warn_about_sizes(pictures, sizes, name, problems)
    labels = {class_name: label for label, class_name in enumerate(names)}
    objects, where, empty = Objects(), [], []
    for row, (picture, (height, width)) in enumerate(zip(pictures, sizes, strict=True)):
        scale = (height, width) if picture.fractions else (1, 1)
        for number, item in enumerate(picture.items):
            ymin, xmin, ymax, xmax = item.box
            if ymin == ymax or xmin == xmax:
                empty.append(text := f"{item.where} of {picture.source}")
                text = f"The box of {text} has no width or height."
                problems.mention("box-empty", text, listing.path(picture.source), item.where, left_out=True)
                continue
            box = ymin * scale[0], xmin * scale[1], ymax * scale[0], xmax * scale[1]
            objects.add(row, box, labels[item.name], item.difficult, item.crowd, item.area)
            where.append((row, number))

    def describe(i: int) -> str:
        row, number = where[i]
        item = pictures[row].items[number]
        return f"{item.where} ({item.name}) in {listing.path(pictures[row].source)}"

    def place(i: int) -> tuple[Path, str]:
        row, number = where[i]
        return listing.path(pictures[row].source), pictures[row].items[number].where

    warn_of_empty(name, "", empty)
    places = [picture.place for picture in pictures]
    annotations = build_annotations(places, sizes, objects, describe, name, problems, place)
    return Dataset(name, names, annotations, of_rows(read, rows))


def _say(found: Found, choice: Choice, how: str, datasets: Sequence[Dataset]) -> None:
    """What was understood, in three lines."""
    log.info("found: %s, %s images", found.what, f"{len(found.pictures):,}")
    unused = ", ".join(f"{name} {count:,}" for name, count in choice.unused.items())
    train, val = (f"{data.name.rpartition(':')[2]} {len(data):,}" for data in datasets)
    log.info(
        "splits: %s to train on, %s to validate on%s%s", train, val, how, f"; not used: {unused}" if unused else ""
    )
    once = datasets[:1] if datasets[0].annotations is datasets[1].annotations else datasets
    labels = np.concatenate([data.columns.labels for data in once])
    counts = np.bincount(labels, minlength=len(datasets[0].class_names)).tolist()
    named = [f"{name} {count:,}" for name, count in zip(datasets[0].class_names, counts, strict=True)]
    more = f" and {len(named) - _SHOWN_CLASSES} more" if len(named) > _SHOWN_CLASSES else ""
    log.info("classes: %s", ", ".join(named[:_SHOWN_CLASSES]) + more)
