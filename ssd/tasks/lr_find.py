"""Which learning rate a training could have: a few steps at rising rates, and nothing of them is kept."""

import logging
import os
import shlex
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ssd.config.chosen import SAID, chosen_keys
from ssd.config.overrides import key_of, without
from ssd.console import waiting
from ssd.data.pipeline import Batch, Batches
from ssd.device import has_gpu, set_memory_growth
from ssd.experiment import build
from ssd.experiment.splits import build_splits
from ssd.figures.rate_test import draw_rate_test
from ssd.runs.folder import PLOTS, as_typed
from ssd.training.lr_find import raise_rate, rising
from ssd.training.step import make_train_step
from ssd.weights.transfer import transfer

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Leaves plots/lr_find.png in `folder`, prints the command with the rate it suggests, and gives that."""
    set_memory_growth(cfg.gpu_memory_growth)
    with waiting("reading the data set"):
        splits = build_splits(cfg)
    with waiting("building the network"):
        model = build.build_detector_in_precision(cfg, splits.train.class_names)
        if (weights := build.read_trained(cfg)) is not None:
            log.info("%s: %s", weights.origin, transfer(weights, model).describe())
    task = cfg.task
    rates = rising(task.lowest, task.highest, task.steps)
    optimizer = build.optimizer_with(cfg, model, rates)
    encode_targets, loss = build.build_target_encoder(cfg, model), build.build_loss(cfg)
    train_step = make_train_step(
        model, optimizer, encode_targets, loss, has_gpu(), micro_batches=cfg.training.micro_batches
    )
    with waiting(f"training {task.steps} steps at rates from {task.lowest:g} to {task.highest:g}"):
        found = raise_rate(train_step, _endless(build.build_train_batches(cfg, splits.train)), rates, task.steps)
    picture = folder / PLOTS / "lr_find.png"
    draw_rate_test(found.rates, found.losses, found.suggestion, picture)
    rate = f"{found.suggestion:.1e}"
    log.info("suggested learning rate: %s, of %d steps up to %.2g", rate, len(found.rates), found.rates[-1])
    print(f"Loss over the learning rate: {os.path.relpath(picture)}")
    print(shlex.join(["python", "run.py", *_given(cfg), f"optimizer.learning_rate={rate}"]))
    return float(rate)


def _endless(batches: Batches) -> Iterator[Batch]:
    for epoch in count():
        yield from batches.epoch(epoch)


def _given(cfg: DictConfig) -> list[str]:
    """What the command sets, but for the task, the rate, and what the program says or chooses again."""
    lines = without(as_typed(HydraConfig.get().overrides.task), {"optimizer.learning_rate", *SAID})
    return [line for line in without(lines, chosen_keys(cfg.chosen)) if key_of(line).split(".")[0] != "task"]
