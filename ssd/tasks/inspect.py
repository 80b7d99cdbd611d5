"""Looking at a data set, and writing it in another format."""

import logging
import os
from pathlib import Path

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.folder.convert import beside, convert
from ssd.data.look import look_at_images
from ssd.data.sample import Dataset
from ssd.experiment.splits import build_splits, record_split

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Decodes every image once, says what there is, converts it if asked to, and gives the number of images."""
    with waiting("reading the data set"):
        splits = build_splits(cfg)
    record_split(cfg, folder, splits)
    look_at_images([splits.train, splits.val])
    for part in (splits.train, splits.val):
        log.info("%s", _amount(part))
    if (kind := cfg.dataset.get("convert")) is not None:
        target = beside(cfg.dataset.path, kind)
        with waiting(f"writing {target}"):
            convert(splits, target, kind)
        log.info("written as %s: dataset=folder dataset.path=%s", kind, os.path.relpath(target))
    return float(len(splits.train) + len(splits.val))


def _amount(dataset: Dataset) -> str:
    objects = sum(len(item.labels) for item in dataset.annotations)
    empty = sum(not len(item.labels) for item in dataset.annotations)
    return f"{dataset.name}: {len(dataset):,} images with {objects:,} objects, {empty:,} without any"
