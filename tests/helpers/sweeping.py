"""Runs sweeps of a task that costs nothing (`probe`), each in a process of its own."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from helpers.probe import STEPS
from helpers.tiny import CONF
from helpers.warm import Process

ARGUMENTS = ["-m", f"--config-dir={CONF}", "task=probe", "hydra.sweep.dir=sweep"]


def sweep(folder: Path, *overrides: str, together: int = 1, imported: str = "ssd", **variables: str) -> tuple[int, str]:
    """Exit status and words of a multirun of the probe; its first jobs wait until so many run together."""
    variables["SSD_PROBE_TOGETHER"] = str(together)
    process = Process(folder, *ARGUMENTS, *overrides, imported=imported, **variables)
    return process.wait(900), process.said


def table(folder: Path) -> dict[str, str]:
    """The status and reason of every job in the sweep's table, by its seed."""
    with (folder / "sweep" / "sweep.csv").open() as file:
        return {f"seed={row['seed']}": f"{row['status']} {row['reason']}".strip() for row in csv.DictReader(file)}


def children(uri: str) -> tuple[Run, list[Run]]:
    """The one parent run of a store and the other runs."""
    runs = MlflowClient(uri).search_runs(["1"])
    (parent,) = [run for run in runs if run.data.tags.get("task") == "sweep"]
    return parent, [run for run in runs if run is not parent]


def assert_complete(uri: str, jobs: int) -> None:
    """Every job has a run under the parent's, with all that it logged."""
    parent, runs = children(uri)
    assert [run.data.tags["mlflow.parentRunId"] for run in runs] == [parent.info.run_id] * jobs
    client = MlflowClient(uri)
    for run in runs:
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, "a")] == list(range(STEPS))
        assert [metric.value for metric in client.get_metric_history(run.info.run_id, "a")] == list(range(STEPS))
        assert len(client.get_metric_history(run.info.run_id, "b")) == STEPS


def wait_for(true: Callable[[], bool]) -> None:
    """Until it is true, four minutes at most."""
    give_up = time.monotonic() + 240
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.1)
