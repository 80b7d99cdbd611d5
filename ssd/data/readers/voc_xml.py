"""One Pascal VOC annotation file: parsing only, boxes as the file says them."""

import stat
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from ssd.data.problems import Problems
from ssd.data.readers.names import check_class_names
from ssd.errors import UserError

_MOST_BYTES = 10_000_000  # of one image's file, about 30,000 objects; in memory it is 40 times as much


@dataclass(frozen=True)
class VOCObject:
    """One `<object>`: class name, box ymin, xmin, ymax, xmax in continuous pixels, difficult flag, place from 1 on."""

    name: str
    box: tuple[float, float, float, float]
    difficult: bool
    number: int


@dataclass(frozen=True)
class VOCFile:
    """What a file says: `<filename>` (may be empty), `<size>` as height and width (0 where not given), its objects."""

    filename: str
    size: tuple[int, int]
    objects: list[VOCObject]


def parse_voc_xml(path: Path, problems: Problems | None = None) -> VOCFile:
    """Reads one annotation file.

    VOC counts pixels from 1 and both ends belong to the object (devkit_doc.pdf of VOC2007, section 4; its evaluation
    code computes a width as xmax - xmin + 1), so in continuous pixels, where the first one spans 0 to 1, the object
    covers xmin - 1 to xmax. Coordinates may have a fraction. The `<size>` is often missing or wrong in
    the wild: the caller asks the image file.

    Raises:
        UserError: the file is missing or is not XML; or an object lacks its name or a number of its box, and `problems`
            does not skip.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
            raise UserError(f"The annotation {path} is a folder or a device, not a file: put the annotation there.")
        if (size := found.st_size) > _MOST_BYTES:
            raise UserError(f"The annotation {path} has {size / 1e6:.0f} MB, which no image's has: correct the file.")
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise UserError(f"The annotation {path} does not exist: put it there, or take it out of the split.") from None
    except (ElementTree.ParseError, ValueError, LookupError, OSError) as error:
        raise UserError(
            f"The annotation {path} is not readable XML ({_reason(path, error)}): correct the file."
        ) from None
    if root.tag != "annotation":
        raise UserError(f"The annotation {path} is not one of VOC: it begins with <{root.tag[:80]}>, not <annotation>.")
    problems = Problems() if problems is None else problems
    objects = []
    for number, node in enumerate(root.findall("object"), start=1):
        try:
            objects.append(_parse_object(node, path, number))
        except UserError as error:
            problems.leave_out("object-malformed", error, path, number)
    return VOCFile((root.findtext("filename") or "").strip(), (_size(root, "height"), _size(root, "width")), objects)


def _reason(path: Path, error: Exception) -> str:
    """What the parser says; of bytes in an encoding that the file does not name, which it calls a token, just that."""
    try:
        content = path.read_bytes()
    except OSError:
        return str(error)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"encoding" in content.partition(b"?>")[0]:
        return str(error)
    try:
        content.decode()
    except UnicodeDecodeError as wrong:
        return (
            f"its byte {wrong.start + 1} is not UTF-8, and it names no other encoding: save it in UTF-8, or begin it "
            'with <?xml version="1.0" encoding="ISO-8859-1"?>, if it is Latin-1'
        )
    return str(error)


def _size(root: ElementTree.Element, side: str) -> int:
    try:
        return int(float(root.findtext(f"size/{side}") or 0))
    except (ValueError, OverflowError):
        return 0


def _parse_object(node: ElementTree.Element, path: Path, number: int) -> VOCObject:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise UserError(f"Object {number} of the annotation {path} has no <name>: add its class.")
    check_class_names([name], f"Object {number} of the annotation {path}")
    corners = node.find("bndbox")
    if corners is None:
        raise UserError(f"Object {number} ({name}) of the annotation {path} has no <bndbox>: add its box.")
    xmin, ymin, xmax, ymax = (_number(corners, key, path, number, name) for key in ("xmin", "ymin", "xmax", "ymax"))
    difficult = (node.findtext("difficult") or "").strip().lower() in ("1", "true")
    return VOCObject(name, (ymin - 1.0, xmin - 1.0, ymax, xmax), difficult, number)


def _number(corners: ElementTree.Element, key: str, path: Path, number: int, name: str) -> float:
    text = corners.findtext(key)
    try:
        return float(text or "")
    except ValueError:
        raise UserError(
            f"<{key}> of object {number} ({name}) of the annotation {path} is {text!r} and not a number: correct it."
        ) from None
