"""Runs sweeps of a task that costs nothing (tests/probe) through `run.py`, in a process of its own."""

import csv
import os
import subprocess
import sys
from pathlib import Path

from ssd.environment import ROOT

PROBE = ROOT / "tests" / "probe"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(PROBE)])}
COMMAND = [sys.executable, str(ROOT / "run.py"), "-m", "task.name=probe", "hydra.sweep.dir=sweep"]


def sweep(folder: Path, *overrides: str, together: int = 1, **variables: str) -> subprocess.CompletedProcess[str]:
    """A multirun of the probe in `folder`; its first jobs wait until so many run together."""
    env = ENVIRONMENT | {"SSD_PROBE_TOGETHER": str(together)} | variables
    return subprocess.run(
        [*COMMAND, *overrides], cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False
    )


def table(folder: Path) -> dict[str, str]:
    """The status and reason of every job in the sweep's table, by its seed."""
    with (folder / "sweep" / "sweep.csv").open() as file:
        return {f"seed={row['seed']}": f"{row['status']} {row['reason']}".strip() for row in csv.DictReader(file)}
