"""Looking at a data set, and writing it in another format."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.look import look_at_images
from ssd.experiment.converted import convert_if_asked
from ssd.experiment.splits import build_splits

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Decodes every image once, says how many there are, converts them if asked to, and gives their number."""
    with waiting("reading the data set"):
        splits = build_splits(cfg)
    look_at_images([splits.train, splits.val])
    for part in (splits.train, splits.val):
        objects = sum(len(item.labels) for item in part.annotations)
        log.info("%s: %s images with %s objects", part.name, f"{len(part):,}", f"{objects:,}")
    convert_if_asked(cfg, splits)
    return float(len(splits.train) + len(splits.val))
