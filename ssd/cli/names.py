"""What names of runs, data sets and stores may be: folders and databases are called by them."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ssd.cli.ranges import value_at
from ssd.errors import UserError

_LONGEST = 150  # letters; a file system's names have 255 bytes, the date among them
_LONGEST_BYTES = 220
# Those that the name is made of where it is not given come first, so that what was typed is what is named.
_NAMES = ("task.name", "backbone.name", "detector.name", "dataset.name", "name")

# mlflow.tracking's schemes: databases (with their driver), servers, folders
_STORES = re.compile(r"(sqlite|postgresql|mysql|mssql)(\+\w+)?://.|https?://.|file:|databricks|uc:")


def check_names(values: dict[str, Any]) -> None:
    """Refuses a name that cannot be one of a folder.

    Raises:
        UserError: naming the key.
    """
    for key in _NAMES:
        name = value_at(values, key)
        if not isinstance(name, str):
            continue
        shown = f"{key}={name[:40]!r}{'…' if len(name) > 40 else ''}"
        if len(name) > _LONGEST or len(os.fsencode(name)) > _LONGEST_BYTES:
            raise UserError(f"{shown} has {len(name)} letters; a folder is named after it: at most {_LONGEST}")
        if not name.isprintable():
            raise UserError(f"{shown} has line breaks or signs that cannot be printed; a folder is named after it")
        if "/" in name:
            raise UserError(f"{shown} has a slash; a folder is named after it: write it with a dash")
        if name.strip(". ") == "":
            raise UserError(f"{shown} is empty or dots alone; a folder is named after it: give it letters")


def check_store(tracking: dict[str, Any]) -> None:
    """Refuses a `tracking.uri` that cannot be a store of MLflow.

    Raises:
        UserError: saying what it can be.
    """
    uri = tracking["uri"]
    if not tracking["enabled"]:
        return
    shown = f"tracking.uri={uri[:200]}"
    if not _STORES.match(uri):
        raise UserError(
            f"{shown} is no store of MLflow; give sqlite:///FILE, a server such as http://HOST:5000, or "
            "tracking.enabled=false"
        )
    if not tracking["experiment"].strip():
        raise UserError("tracking.experiment is empty; give a name, or leave it out")
    if uri.startswith("sqlite"):
        _check_database(uri, shown)
    elif uri.startswith("http"):
        try:
            port_is_there = urlsplit(uri).port != 0 and urlsplit(uri).hostname
        except ValueError:
            port_is_there = None
        if not port_is_there:
            raise UserError(f"{shown} is no address of a server; write http://HOST:PORT")


def _check_database(uri: str, shown: str) -> None:
    name = unquote(uri.partition(":///")[2].partition("?")[0])
    if not name or name == ":memory:":
        raise UserError(f"{shown} names no file, and what is in memory alone is lost; write sqlite:///FILE")
    file = Path(name)
    if os.path.isdir(file):
        raise UserError(f"{shown} is a folder; write sqlite:///{name.rstrip('/')}/mlflow.db")
    if not os.path.isdir(file.parent):
        raise UserError(f"{shown}: there is no folder {file.parent}; make it, or choose another file")
    if os.path.isfile(file) and os.access(file, os.R_OK):
        with file.open("rb") as opened:
            start = opened.read(16)
        if start and start != b"SQLite format 3\0":
            raise UserError(f"{shown} is no SQLite database; choose another file, or move this one away")
