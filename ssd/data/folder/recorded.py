"""The split of a run, kept in its folder: a run that goes on, and what is judged later, has the same images."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ssd.data.readers.json_file import read_json
from ssd.errors import UserError

# Of the data set's settings those that a split depends on.
SETTINGS = ("format", "train", "val", "val_fraction", "seed")


def content(settings: Mapping[str, Any], train: Sequence[str], val: Sequence[str]) -> dict[str, Any]:
    """What is written of a split; names of images are their places in the folder."""
    return {"settings": {key: settings[key] for key in SETTINGS}, "train": list(train), "val": list(val)}


def read_recorded(path: Path, settings: Mapping[str, Any]) -> tuple[list[str], list[str]] | None:
    """Names of the images to train and to validate on; None where it is of other settings.

    Raises:
        UserError: the file is damaged.
    """
    found = read_json(path)
    try:
        parts = [[str(name) for name in found[part]] for part in ("train", "val")]
        same = found["settings"] == {key: settings[key] for key in SETTINGS}
    except (KeyError, TypeError):
        raise UserError(f"{path} is no record of a split: put it back as it was, or take it away.") from None
    return (parts[0], parts[1]) if same and parts[0] and parts[1] else None
