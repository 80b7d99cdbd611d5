"""A task that costs nothing and tells what its process was like. `seed` says what becomes of it.

Seeds below 10 do well, once as many of them run as SSD_PROBE_TOGETHER says; 13 is killed, but only once, and only when
as many are done as SSD_PROBE_BEFORE says; 14 raises; 15 gives NaN.
"""

import json
import os
import signal
import time
from pathlib import Path

from omegaconf import DictConfig

from ssd.sweep.launch.callback import PARENT_VARIABLE

STEPS = 20


def run(cfg: DictConfig, folder: Path) -> float:
    done = len(list(folder.parent.glob("*/probe.json")))
    killed = folder.parent / "killed"
    if cfg.seed == 13 and not killed.exists() and done >= int(os.environ.get("SSD_PROBE_BEFORE", "0")):
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if cfg.seed == 14:
        raise ZeroDivisionError("a fault of ours")
    if cfg.seed == 15:
        return float("nan")
    (folder.parent / f"started_{os.getpid()}").touch()
    together = int(os.environ.get("SSD_PROBE_TOGETHER", "1"))
    give_up = time.monotonic() + 300  # a busy machine takes a minute to start a process of Ray's
    while len(list(folder.parent.glob("started_*"))) < together:
        if time.monotonic() > give_up:
            raise TimeoutError(f"fewer than {together} jobs run at once")
        time.sleep(0.05)
    if cfg.tracking.enabled:
        _track(cfg, folder)
    found = {"pid": os.getpid(), "environment": dict(os.environ)}
    (folder / "probe.json").write_text(json.dumps(found))
    (folder / "metrics.json").write_text(json.dumps({"mAP": cfg.seed / 10, "minutes": 0.0}))
    return cfg.seed / 10


def _track(cfg: DictConfig, folder: Path) -> None:
    from ssd.tracking.tracker import Tracker  # and MLflow, which takes seconds

    parent = os.environ.get(PARENT_VARIABLE)
    with Tracker(cfg.tracking.uri, cfg.tracking.experiment, cfg.name, folder, parent_run_id=parent) as tracker:
        for step in range(STEPS):
            tracker.log_metrics({"a": step, "b": cfg.seed}, step)
