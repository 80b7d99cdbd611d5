"""A data set written in another format, where the configuration asks for it."""

import logging
import os
import re
from collections.abc import Container

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.folder.convert import beside, convert
from ssd.data.folder.reader import other_splits
from ssd.data.sample import Splits
from ssd.data.selection import alike_classes
from ssd.experiment.splits import build_split

log = logging.getLogger(__name__)


def convert_if_asked(cfg: DictConfig, splits: Splits) -> None:
    """Writes the data set as `dataset.convert` says, into a folder beside, and says how to use that.

    Splits that are neither trained nor validated on are written, too, under their own names.
    """
    if (kind := cfg.dataset.get("convert")) is None:
        return
    target = beside(cfg.dataset.path, kind)
    with waiting(f"writing {target}"):
        parts = {"train": splits.train, "val": splits.val}
        used = {number for part in parts.values() for number in part.columns.ids}
        for name in other_splits(cfg.dataset.path, cfg.dataset.format, cfg.dataset.data_dir, used):
            parts[_free(name, parts)] = build_split(cfg, name)
        parts = alike_classes(parts)
        convert(parts, target, kind)
    for name in list(parts)[2:]:
        log.info("%s is written, too: %s images", name, f"{len(parts[name]):,}")
    log.info("written as %s: dataset=folder dataset.path=%s", kind, os.path.relpath(target))


def _free(split: str, taken: Container[str]) -> str:
    """A name of a split as one of a folder that is not taken."""
    name = re.sub(r"[^\w-]+", "-", split)
    while name in taken:
        name = f"other_{name}"
    return name
