"""A folder or an archive of images and labels from any tool: `dataset=folder dataset.path=WHERE`."""

import logging
import os
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.folder.archive import SUFFIXES, UNPACKED, is_archive, unpacked
from ssd.data.folder.assembled import assembled
from ssd.data.folder.choice import Choice, all_of, choose
from ssd.data.folder.classes import class_names_of, renamed
from ssd.data.folder.division import divide
from ssd.data.folder.formats import FORMATS, detect
from ssd.data.folder.likeness import Likeness
from ssd.data.folder.listing import Listing, list_beside, list_folder, local_path
from ssd.data.folder.places import splits_of_siblings
from ssd.data.folder.recorded import read_recorded
from ssd.data.folder.records import Found, Notes
from ssd.data.folder.sizes import sizes_of, with_sizes
from ssd.data.images import MAX_PIXELS, ImageFiles
from ssd.data.kept import Parsed, kept
from ssd.data.problems import RAISE, SKIP, Problems
from ssd.data.sample import Dataset, Splits
from ssd.data.suffixes import UNREAD_SUFFIXES, say_unread
from ssd.errors import UserError

log = logging.getLogger(__name__)

_FILES = (".json", ".csv", ".yaml", ".yml", ".data", ".record", ".tfrecord")
_LABELS = (*_FILES, ".xml")
_SHOWN_CLASSES = 20
_LEAST_KEPT = 200  # images: of fewer the search for near-duplicates takes a moment


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
    listing = _listing(local_path(path), Path(data_dir).expanduser(), path)
    settings = {"format": format, "train": train, "val": val, "val_fraction": val_fraction, "seed": seed}
    made: list[Splits] = []

    def read() -> Parsed:
        splits = _splits(listing, path, settings, class_names, name, recorded, on_error)
        made.append(splits)
        if not isinstance(splits.train.read, ImageFiles):  # images inside other files, whose places are not kept
            return Parsed(splits.train.class_names, {})
        parts = {f"train {splits.train.name}": splits.train.columns, f"val {splits.val.name}": splits.val.columns}
        return Parsed(splits.train.class_names, parts, splits.problems)

    files = [listing.path(file) for file in listing.files] + ([Path(recorded)] if recorded is not None else [])
    found = kept(["folder", path, settings, class_names, name, on_error], files, read, _LEAST_KEPT)
    if made:
        return made[0]
    train_part, val_part = (_again(listing, found, part) for part in found.parts)
    return Splits(train_part, val_part, found.problems)


def other_splits(path: str, format: str, data_dir: str, used: Set[str]) -> list[str]:
    """Names of the splits that have none of some images.

    Args:
        path, format, data_dir: as of `folder`.
        used: places of those images.
    """
    listing = _listing(local_path(path), Path(data_dir).expanduser(), path)
    kind, files = detect(listing, format, path)
    found = _read(kind, listing, files, Notes(Problems(SKIP)))
    places = [picture.place for picture in found.pictures]
    splits = all_of(found.splits or splits_of_siblings(places), len(places))
    return [name for name, rows in splits.items() if used.isdisjoint(places[row] for row in rows)]


def _again(listing: Listing, found: Parsed, part: str) -> Dataset:
    """A data set that is known from an earlier start."""
    annotations = found.parts[part]
    files = ImageFiles([listing.path(place) for place in annotations.ids])
    return Dataset(part.partition(" ")[2], found.class_names, annotations, files)


def _splits(
    listing: Listing,
    path: str,
    settings: Mapping[str, Any],
    class_names: Sequence[str] | None,
    name: str,
    recorded: str | None,
    on_error: str,
) -> Splits:
    problems = Problems(on_error)
    notes = Notes(problems)
    kind, files = detect(listing, settings["format"], path)
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
    splits = found.splits or splits_of_siblings([picture.place for picture in found.pictures])
    choice = _recorded(found, recorded, settings, notes) or choose(
        splits, len(found.pictures), settings["train"], settings["val"], f"dataset.path={path}"
    )
    sizes = sizes_of(listing, found, sorted({*choice.train, *(choice.val or ())}), problems)
    choice = with_sizes(choice, sizes, path)
    choice, how = (choice, "") if choice.val is not None else _made(choice, found, read, sizes, settings)
    parts = (choice.train_name, choice.train), (choice.val_name, choice.val or ())
    names = class_names_of(found, [row for _, rows in parts for row in rows], class_names, path, problems)
    datasets = [assembled(listing, found, read, rows, sizes, names, f"{name}:{part}", problems) for part, rows in parts]
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
    settings: Mapping[str, Any],
) -> tuple[Choice, str]:
    """With a validation part out of the images to train on, and how that was made."""
    fraction, seed = settings["val_fraction"], settings["seed"]
    pictures = [found.pictures[row] for row in choice.train]
    places = [picture.place for picture in pictures]
    classes = [{item.name for item in picture.items} for picture in pictures]
    likeness = Likeness(places, lambda i: read(row) if prod(sizes[row := choice.train[i]]) <= MAX_PIXELS else b"")
    val, groups = _divided(places, classes, likeness, fraction, seed)
    chosen = set(val)
    rest = [row for i, row in enumerate(choice.train) if i not in chosen]
    together = len(places) - len(np.unique(groups))
    alike = f", {together:,} near-duplicate{'s' if together > 1 else ''} together" if together else ""
    made = Choice(choice.train_name, rest, choice.val_name, [choice.train[i] for i in val], choice.unused)
    return made, f" (made: {fraction:.0%}, seed {seed}, by class{alike})"


def _divided(
    places: Sequence[str], classes: Sequence[Collection[str]], likeness: Likeness, fraction: float, seed: int
) -> tuple[list[int], NDArray[np.int64]]:
    """Rows to validate on, and the group of each image.

    Another division has other images before one, and so may show likenesses that the one before did not: a few are
    tried, of which the second looks at all images, which takes five times as long.
    """
    groups = likeness.groups()
    for everywhere in (False, True, False, False, False, False):
        val = divide(places, classes, groups, fraction, seed)
        if np.array_equal(joined := likeness.joined(groups, val, everywhere), groups):
            return val, groups
        groups = joined
    return divide(places, classes, groups, fraction, seed), groups


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
