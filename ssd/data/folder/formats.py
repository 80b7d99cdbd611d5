"""Which formats a folder holds, and what to say where it is not exactly one."""

import logging
import re
from collections.abc import Mapping
from types import ModuleType

from ssd.data.folder import (
    coco,
    createml,
    cvat,
    kitti,
    label_studio,
    labelme,
    open_images,
    tfod_csv,
    tfrecord,
    via,
    voc,
    vott,
    yolo,
)
from ssd.data.folder.agreement import agreed
from ssd.data.folder.listing import Listing
from ssd.data.folder.records import Notes
from ssd.errors import UserError, nearest

log = logging.getLogger(__name__)

# Of formats that say the same the first one is read: what others lack, difficult and crowd, comes before.
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
    "cvat": cvat,
    "label_studio": label_studio,
    "vott": vott,
    "kitti": kitti,
}
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_AS_COCO = "export it as COCO there"
_WITHOUT_COMMAS = "write spaces between the numbers, and points in them"
_OTHERWISE = "write it as COCO JSON or Pascal VOC XML, for which there are converters"
# What is recognised only to say what to do with it: suffixes, a pattern of the beginning, its name, advice.
NOT_READ = (
    ((".xml",), rb"<annotations>(?s:.)*<track ", "CVAT's XML of a video", "export it as COCO or YOLO there"),
    ((".xml",), rb"<annotations>", "CVAT's XML without an image in it", "export it again, with the annotated images"),
    ((".json",), rb'"items"(?s:.)*"annotations"', "Datumaro's own JSON", _AS_COCO),
    ((".json",), rb'"file_upload"', "Label Studio's JSON without a box", "draw some there, and export it again"),
    ((".json",), rb'"classTitle"', "Supervisely's own JSON", _AS_COCO),
    ((".json",), rb'"vid_list"|"av"\s*:', "the JSON of VIA 3", "export it as COCO there, or use VIA 2"),
    ((".json",), rb'"box2d"', "BDD100K's JSON", _OTHERWISE),
    ((".json",), rb'"caption"', "captions", "take the instances file of the same images"),
    ((".json",), rb'^\s*\[\s*\{(?s:.)*"image_id"', "COCO results", "take the annotations that they are of"),
    ((".json",), rb'"images"\s*:', "COCO JSON without annotations or categories", "export it again, with both"),
    ((".jsonl",), rb'"file_name"', "a data set of Hugging Face", "save it as COCO JSON with its images"),
    ((".parquet", ".arrow"), rb"", "Parquet tables", "save the data set as COCO JSON with its images"),
    (("_classes.csv",), rb"(?i)^\W*filename", "classes of whole images", "export boxes: the project is no detection"),
    (("_annotations.txt",), rb"\S \d+,\d+,\d+,\d+,\d+", "YOLO v3's text of all images", "export it as YOLO v8 or COCO"),
    ((".txt",), rb"^[^\W\d]\S*(\s+[01]?\.\d+){4}", "YOLO text with names for numbers", "write 0, 1, … and classes.txt"),
    ((".txt",), rb"^\d+(\s*[,;]\s*\d*\.\d+){4}|^\d+(\s+\d+,\d+){4}", "YOLO text with commas", _WITHOUT_COMMAS),
    ((".txt",), rb"PASCAL Annotation Version", "PASCAL's texts of before 2006 (as of Penn-Fudan)", _OTHERWISE),
    ((".txt",), rb"^\S+\.jpg\s+\d+\s+\d+ \d+ \d+ \d+ \d", "WIDER FACE's text", _OTHERWISE),
    ((".txt",), rb"^(imagesource:|gsd:|(-?[\d.]+ ){8}[^\W\d])", "DOTA's texts", _OTHERWISE),
    ((".txt",), rb"^(-?[\d.]+, ?){5,}-?[\d.]+", "the texts of VisDrone or a MOT challenge", _OTHERWISE),
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
    if "kitti" in found and all("csv_folder/" in file for file in found.get("open_images", [])):
        found.pop("open_images", None)  # of all classes: the OIDv4 ToolKit made its texts of them
    if wanted in found:
        return wanted, found[wanted]
    if wanted != "auto":
        there = f"it holds {_listed(found)}" if found else _nothing(listing)
        raise UserError(f"dataset.path={given} has no {FORMATS[wanted].NAME}; {there}.")
    if not found:
        raise UserError(f"dataset.path={given} holds no annotations that are read here: {_nothing(listing)}.")
    name = next(iter(found)) if len(found) == 1 else _agreed(listing, found, given)
    return name, found[name]


def _agreed(listing: Listing, found: Mapping[str, list[str]], given: str) -> str:
    """Which of several formats is read, where they say the same."""
    choices = " or ".join(f"dataset.format={name}" for name in found)
    try:
        name = agreed(listing, {name: FORMATS[name].read(listing, files, Notes()) for name, files in found.items()})
    except UserError as error:
        differing = str(error).rstrip(".")
        raise UserError(
            f"dataset.path={given} holds several formats, {_listed(found)}, not known to say the same "
            f"({differing}): say which one to read by {choices}."
        ) from None
    log.info("%s say the same: %s is read; to choose: %s", _listed(found), FORMATS[name].NAME, choices)
    return name


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
    for suffixes, pattern, name, advice in NOT_READ:
        for file in listing.ending(*suffixes):
            if re.search(pattern, listing.head(file, 1 << 16)):
                return f"it has {name} ({file}); {advice}"
    images = f"{len(listing.images):,} image{'s' if len(listing.images) != 1 else ''}"
    if listing.images:
        return (
            f"it has {images}, such as {listing.images[0]}, and no labels to them{_others(listing)}; draw boxes in a "
            "tool such as labelImg or CVAT and save them beside, or give the folder that holds both"
        )
    if archives := listing.ending(*_ARCHIVES):
        many = ", ".join(archives[:3]) + (", …" if len(archives) > 3 else "")
        return f"it has no image, but {many}; unpack what belongs together into one folder, and give that"
    if listing.files:
        return f"it has no image among its {len(listing.files):,} files; give the folder that holds images and labels"
    return "it is empty; give the folder that holds images and labels"
