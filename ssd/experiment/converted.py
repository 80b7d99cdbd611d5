"""A data set written in another format, where the configuration asks for it."""

import logging
import os

from omegaconf import DictConfig

from ssd.console import waiting
from ssd.data.folder.convert import beside, convert
from ssd.data.sample import Splits

log = logging.getLogger(__name__)


def convert_if_asked(cfg: DictConfig, splits: Splits) -> None:
    """Writes the data set as `dataset.convert` says, into a folder beside, and says how to use that."""
    if (kind := cfg.dataset.get("convert")) is None:
        return
    target = beside(cfg.dataset.path, kind)
    with waiting(f"writing {target}"):
        convert(splits, target, kind)
    log.info("written as %s: dataset=folder dataset.path=%s", kind, os.path.relpath(target))
