"""Which formats a folder holds, and what to say where it is not exactly one."""

from collections.abc import Mapping
from types import ModuleType

from ssd.data.folder import coco, createml, labelme, open_images, tfod_csv, tfrecord, via, voc, yolo
from ssd.data.folder.listing import Listing
from ssd.errors import UserError, nearest

FORMATS: Mapping[str, ModuleType] = {
    "voc": voc,
    "coco": coco,
    "yolo": yolo,
    "createml": createml,
    "labelme": labelme,
    "via": via,
    "open_images": open_images,
    "tfod_csv": tfod_csv,
    "tfrecord": tfrecord,
}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# What is recognised only to say what to do with it: suffixes, a piece of the beginning, its name.
_NOT_READ = (
    ((".xml",), b"<annotations>", "CVAT's own XML", "export it as COCO or YOLO there"),
    ((".json",), b'"items"', "Datumaro's own JSON", "export it as COCO there"),
    ((".json",), b'"file_upload"', "Label Studio's own JSON", "export it as COCO or YOLO there"),
    ((".json",), b'"captions"', "captions", "take the instances file of the same images"),
    ((".parquet", ".arrow"), b"", "Parquet tables", "save the data set as COCO JSON with its images"),
)


def detect(listing: Listing, wanted: str, given: str) -> tuple[str, list[str]]:
    """The format of a folder and its files of annotations.

    Args:
        listing: of the folder.
        wanted: the name of a format, or auto.
        given: how the user named the folder, for messages.

    Raises:
        UserError: there is none, or there are several; says what was found and what to do.
    """
    if wanted != "auto" and wanted not in FORMATS:
        raise UserError(f"dataset.format={wanted} is no format{nearest(wanted, ['auto', *FORMATS])}")
    found = {name: files for name, module in FORMATS.items() if (files := module.find(listing))}
    if wanted in found:
        return wanted, found[wanted]
    if wanted != "auto":
        there = f"it holds {_listed(found)}" if found else _nothing(listing)
        raise UserError(f"dataset.path={given} has no {FORMATS[wanted].NAME}; {there}.")
    if not found:
        raise UserError(f"dataset.path={given} holds no annotations that are read here: {_nothing(listing)}.")
    if len(found) > 1:
        raise UserError(
            f"dataset.path={given} holds several formats, {_listed(found)}: say which one to read by "
            f"{' or '.join(f'dataset.format={name}' for name in found)}."
        )
    return next(iter(found.items()))


def _listed(found: Mapping[str, list[str]]) -> str:
    return " and ".join(
        f"{FORMATS[name].NAME} ({len(files):,} file{'s' if len(files) > 1 else ''}, {files[0]})"
        for name, files in found.items()
    )


def _others(listing: Listing) -> str:
    images = set(listing.images)
    others = [file for file in listing.files if file not in images]
    return f" among its {len(others):,} other files, such as {others[0]}" if others else ""


def _nothing(listing: Listing) -> str:
    """What there is instead, and what to do."""
    for suffixes, piece, name, advice in _NOT_READ:
        if files := [file for file in listing.ending(*suffixes) if piece in listing.head(file, 1 << 16)]:
            return f"it has {name} ({files[0]}); {advice}"
    images = f"{len(listing.images):,} image{'s' if len(listing.images) != 1 else ''}"
    if listing.images:
        return (
            f"it has {images}, such as {listing.images[0]}, and no labels to them{_others(listing)}; draw boxes in a "
            "tool such as labelImg or CVAT and save them beside, or give the folder that holds both"
        )
    if archives := listing.ending(*_ARCHIVES):
        return f"it has no image, but {archives[0]}; give that: dataset.path=.../{archives[0]}"
    if listing.files:
        return f"it has no image among its {len(listing.files):,} files; give the folder that holds images and labels"
    return "it is empty; give the folder that holds images and labels"
