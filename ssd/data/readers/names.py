"""What classes and files may be called. Names are shown on terminals, in pictures, reports and MLflow's keys."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ssd.errors import UserError, is_writable

LONGEST = 200  # letters of a class; MLflow's keys have 250, file systems 255 bytes

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}")


def check_class_names(names: Iterable[object], where: str) -> None:
    """Refuses names that cannot be shown in a line: empty, too long, with line breaks or control characters.

    Markup, emoji and any alphabet are fine: whatever shows a name shows it as it is.

    Args:
        names: as they were read.
        where: names the file or key they stand in.

    Raises:
        UserError: quoting the first such name.
    """
    for name in names:
        if not isinstance(name, str):
            raise UserError(f"{where} has the class name {name!r}: it must be a text; write it in quotes.")
        if not name.strip():
            raise UserError(f"{where} has the class name {name!r}, which is empty: name the class.")
        if len(name) > LONGEST:
            raise UserError(
                f"{where} has a class name of {len(name)} letters, {name[:20]!r}...: shorten it to {LONGEST} or fewer."
            )
        if not all(map(is_writable, name)):
            raise UserError(
                f"{where} has the class name {name!r} with a line break or a control character in it: take that out."
            )


def is_plain_file_name(name: str) -> bool:
    """Whether nobody could mind a name, as those of nearly all data sets; `check_file_name` takes others as well."""
    return _PLAIN.fullmatch(name) is not None


def check_file_name(name: object, where: str) -> str:
    """The name of a file below a folder, as an annotation or a list of images gives it.

    Args:
        name: as it was read.
        where: names the file it stands in, and what it is there: "x.json has the file_name".

    Raises:
        UserError: it is no text, is absolute, leads out of the folder or cannot be a file's.
    """
    if isinstance(name, str) and is_plain_file_name(name):
        return name
    if not isinstance(name, str) or not name or not all(map(is_writable, name)):
        raise UserError(f"{where} {_quoted(name)}: it must be the name of a file, in one line.")
    if len(os.fsencode(name)) > 2000 or any(len(os.fsencode(part)) > 255 for part in Path(name).parts):
        raise UserError(f"{where} {_quoted(name)}, which is longer than a file's name can be: correct it.")
    if Path(name).is_absolute() or os.path.normpath(name).split(os.sep)[0] == os.pardir:
        raise UserError(f"{where} {_quoted(name)}, which leads out of the folder of the images: correct it.")
    return name


def _quoted(name: object) -> str:
    text = repr(name)
    return text if len(text) <= 100 else f"{text[:100]}..."
