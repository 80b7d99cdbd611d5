"""A training once more, by what it recorded; then whether data, code and numbers are the same.

The command line brings the recorded settings (`ssd.cli.earlier_run`). The code is that of today, and compared.
"""

import logging
import os
from pathlib import Path

import rich
from omegaconf import DictConfig
from rich.text import Text

from ssd.comparison.reproduction import REPORT, VALUES, Reproduction, reproduction, write_reproduction
from ssd.environment import ROOT
from ssd.errors import FaultyDataError
from ssd.models.weights_digest import weights_digest
from ssd.runs.started import recorded_run
from ssd.tasks import train
from ssd.tracking.tracker import Tracker

log = logging.getLogger(__name__)


def run(cfg: DictConfig, folder: Path) -> float:
    """Trains into `folder`, says whether it came to the same as `cfg.source`, and gives what `train.run` does.

    Raises:
        FaultyDataError: it did not; how is in reproduction.md.
    """
    source = Path(cfg.source)
    log.info("reproducing %s", os.path.relpath(source))
    if cfg.training.minutes is not None:
        log.warning("the clock ended that training: its steps were as many as the machine made, and may be others now")
    result = train.run(cfg, folder)
    found = reproduction(source, folder, ROOT, weights_digest)
    write_reproduction(found, folder)
    for name, text in found.lines.items():
        rich.get_console().print(Text(f"{name}: {text}"), soft_wrap=True)
    print(f"Reproduction: {os.path.relpath(folder / REPORT)}")
    if cfg.tracking.enabled:
        _track(cfg, folder, found)
    if not found.same:
        raise FaultyDataError(f"{os.path.relpath(source)} is {found.verdict}")
    print(f"{os.path.relpath(source)} is {found.verdict}.")
    return result


def _track(cfg: DictConfig, folder: Path, found: Reproduction) -> None:
    if (run_id := recorded_run(folder)) is None:
        return
    with Tracker(cfg.tracking.uri, cfg.tracking.experiment, "", folder, run_id=run_id, visit=True) as tracker:
        tracker.set_tags({"reproduces": found.source.name, "reproduced": str(found.same).lower()})
        for file in (REPORT, VALUES):
            tracker.log_artifact(folder / file)
