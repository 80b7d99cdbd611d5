"""Data sets prepared by tensorflow-datasets as array_record files, once."""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import absl.logging
import requests
import tensorflow_datasets as tfds

from ssd.console import others_silenced
from ssd.errors import UserError, first_line, nearest

_SECONDS = 5  # that a server may take to answer at all


@dataclass(frozen=True)
class Origin:
    """Where the archives of a data set come from.

    Attributes:
        name: of the data set, for people.
        page: where a person finds the archives.
        addresses: part → URL whose checksum tensorflow-datasets knows; its last component is the archive's name.
    """

    name: str
    page: str
    addresses: Mapping[str, str]

    @property
    def files(self) -> dict[str, str]:
        """Part → name of its archive."""
        return {part: address.rpartition("/")[2] for part, address in self.addresses.items()}

    def unpacked(self, dl_manager: Any, archives: Path | None) -> dict[str, Any]:
        """Part → folder with its unpacked archive, from the folder `archives` or downloaded."""
        if archives is None:
            return dl_manager.download_and_extract(dict(self.addresses))
        return dl_manager.extract({part: archives / file for part, file in self.files.items()})


def prepare(make: Callable[[], tfds.core.DatasetBuilder], origin: Origin, archives: Path | None) -> Any:
    """The builder that `make` gives with its files on disk, from local archives or downloaded where they are not yet.

    Raises:
        UserError: no network and no archives, missing or damaged archives.
    """
    builder = make()
    if builder.info.splits:  # not where another process has just finished them, which it has not read
        return builder
    files = list(origin.files.values())
    advice = f"download {_and(files)} from {origin.page} into one folder and set dataset.archives to it"
    if archives is None:
        _reach(origin, advice)
        what = f"{origin.name} could not be downloaded and prepared"
        advice = f"check the network and the space on the disk, or {advice}"
    else:
        what = f"The archives of {origin.name} in dataset.archives={archives} could not be prepared"
        missing = [file for file in files if not (archives / file).is_file()]
        if missing:
            raise UserError(f"dataset.archives={archives} has no {' and no '.join(missing)}: {advice}.")
    try:
        return _unpack_and_prepare(make, builder, local=archives is not None)
    except Exception as error:  # tensorflow-datasets raises what it meets under many types; the cause is kept
        raise UserError(f"{what} ({first_line(error)}): {advice}.") from error


def _reach(origin: Origin, advice: str) -> None:
    """Refuses a download from where nothing answers: tensorflow-datasets would wait for minutes.

    Raises:
        UserError: naming the host.
    """
    address = next(iter(origin.addresses.values()))
    try:
        requests.head(address, timeout=_SECONDS)
    except requests.RequestException as error:
        reason = "no answer" if isinstance(error, requests.Timeout) else "no connection"
        raise UserError(
            f"{origin.name} is not here yet, and {address.split('/')[2]} cannot be reached ({reason}): connect to the "
            f"network, or {advice}."
        ) from error


def _unpack_and_prepare(
    make: Callable[[], tfds.core.DatasetBuilder], builder: tfds.core.DatasetBuilder, local: bool
) -> Any:
    if not local:
        return prepared(make)
    # The unpacked copy of the user's archives is needed only while the array_record files are written.
    place = builder.data_path.parent
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place, prefix="unpacked.") as unpacked:
        return prepared(make, tfds.download.DownloadConfig(extract_dir=unpacked))


def _and(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def prepared(make: Callable[[], tfds.core.DatasetBuilder], config: tfds.download.DownloadConfig | None = None) -> Any:
    """The builder that `make` gives, with its files on disk.

    tensorflow-datasets writes into a folder of a random name and renames it at the end, so a killed preparation
    leaves no half data set. Two processes may prepare at once (the jobs of a sweep): the second rename then fails,
    and the other's files are as good.
    """
    if find_spec("array_record") is None:
        raise UserError(
            "tensorflow-datasets' files are read by array_record, which has no package for this system; use a data set "
            "of files, dataset=voc_folder or coco_json, or on Windows the Linux subsystem"
        )
    try:
        make().download_and_prepare(download_config=config)
    except OSError:
        if not make().is_prepared():
            raise
    return make()  # which knows the files, also where the other process was done before this one began


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps tensorflow-datasets from speaking of a download and of custom configurations where there is neither."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    tfds.disable_progress_bar()
    try:
        with others_silenced():
            yield
    finally:
        tfds.enable_progress_bar()
        absl.logging.set_verbosity(verbosity)


def check_split(key: str, item: str, split: str, known: Iterable[str]) -> None:
    """Refuses a split, `one`, `one+other` or `one[:10%]`, of a name that is not `known`.

    Args:
        key: the setting it was given to, below `dataset`.
        item: what was given.
        split: the split in it.
        known: names of the splits.
    """
    for part in split.split("+"):
        name = re.sub(r"\[.*\]$", "", part)
        if name not in known:
            raise UserError(f"dataset.{key} has {item!r} with no such split {name!r}{nearest(name, known)}")
