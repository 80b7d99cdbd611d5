"""Imported before a command: a training of milliseconds, whose result depends on the learning rate; best at 1e-3.

Above a learning rate of 4e-3 its loss is not finite. The job that KILLED_JOB names kills the process, as often as
there is no file killed.txt.
"""

import json
import math
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

from ssd.errors import UserError
from ssd.runs.best_by import metric_of
from ssd.sweep.search.pruning import pruning_of_this_job


def run(cfg, folder):
    """Stands for ssd.tasks.train.run."""
    with Path("started.txt").open("a") as file:
        file.write(f"{folder.name}\n")
    rate = cfg.optimizer.learning_rate
    if rate > 4e-3:
        raise UserError("the loss is not finite")
    if folder.name.startswith(f"{os.environ.get('KILLED_JOB')}_") and not Path("killed.txt").exists():
        Path("killed.txt").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    best_by = cfg.training.best_by
    stop = pruning_of_this_job(folder, best_by)
    reached = 0.0
    for epoch in range(1, cfg.training.epochs + 1):
        reached = math.exp(-((math.log10(rate) + 3) ** 2)) * epoch / cfg.training.epochs
        if stop and epoch < cfg.training.epochs and stop({"epoch": epoch, best_by: reached}):
            break
    (folder / "metrics.json").write_text(json.dumps({metric_of(best_by): reached}))
    return reached


module = ModuleType("ssd.tasks.train")
module.run = run  # type: ignore[attr-defined]
sys.modules[module.__name__] = module
