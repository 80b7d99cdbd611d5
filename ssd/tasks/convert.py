"""Writing a detector of another project as a checkpoint of this one."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from ssd.experiment import build
from ssd.training.checkpoints import Checkpoints

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Leaves checkpoints/best.keras in `folder`, and gives the number of its parameters."""
    model = build.load_trained(cfg)
    checkpoints = Checkpoints(folder)
    checkpoints.save_best(model)
    log.info("%s: %d classes, %d parameters", checkpoints.best, len(model.class_names), model.count_params())
    log.info("use it with checkpoint=%s", folder)
    return float(model.count_params())
