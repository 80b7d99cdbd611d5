"""Real sweeps, killed, terminated and continued: a backbone of three convolutions on a dozen drawn shapes."""

import json
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from helpers.tiny import CONFIG_DIR, TINY
from helpers.warm import Process
from ssd.runs.folder import LAST
from ssd.runs.results import read_results

COMMAND = ["-m", *TINY, "training.epochs=3", "task.pictures=0"]
JOBS = [f"{number}_seed={number + 1}" for number in range(3)]
CLOCK = ("minutes", "images_per_second", "train/images_per_second", "train/waiting")


@dataclass(frozen=True)
class Stopped:
    """A sweep that was stopped in its second job, before it went on, and what that said."""

    status: int
    parent: Run
    children: list[Run]
    folders: list[str]
    written: dict[Path, int]
    said: str


def finish(run: Process) -> str:
    """What it said to its good end."""
    assert run.wait() == 0, run.said
    return run.said


def stop_and_resume(work: Path, sweep: str, number: signal.Signals, varying: str, again: list[str]) -> Stopped:
    """Stops a sweep as soon as its second job has a checkpoint, and goes on with the command `again`."""
    run = Process(work, *COMMAND, varying, f"hydra.sweep.dir={sweep}")
    deadline = time.monotonic() + 300
    while not (work / sweep / JOBS[1] / LAST).exists() and time.monotonic() < deadline:
        assert not run.ended, run.said
        time.sleep(0.005)
    run.send(number)
    status = run.wait()
    parent, children = mlflow_runs(work, sweep)
    files = (file for file in (work / sweep / JOBS[0]).glob("*") if file.is_file())
    first = [file for file in files if not file.name.startswith(".lock")]  # those tell who looked last
    written = {file: file.stat().st_mtime_ns for file in first}
    folders = sorted(folder.name for folder in (work / sweep).glob("*_seed=*"))
    said = finish(Process(work, "-m", CONFIG_DIR, *again, f"sweep.resume={sweep}"))
    return Stopped(status, parent, children, folders, written, said)


def undisturbed(work: Path) -> str:
    return finish(Process(work, *COMMAND, "seed=1,2,3", "hydra.sweep.dir=undisturbed"))


def killed(work: Path) -> Stopped:
    return stop_and_resume(work, "killed", signal.SIGKILL, "seed=1,2,3", [])


def terminated(work: Path) -> Stopped:
    same = [*COMMAND[1:], "seed=1,2", "hydra.sweep.dir=terminated"]
    return stop_and_resume(work, "terminated", signal.SIGTERM, "seed=1,2", same)


def pruned(work: Path) -> str:
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=1", "seed=choice(1,2)", "hydra.sweep.dir=pruned"]
    pruner = "hydra.sweeper.pruner={_target_: optuna.pruners.ThresholdPruner, lower: 0.99, n_warmup_steps: 2}"
    return finish(Process(work, *COMMAND, *search, pruner))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """The folder that all real sweeps are called from."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copy(empty_store, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def sweeps(work: Path) -> dict[str, Any]:
    """All of them, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        running = {sweep.__name__: pool.submit(sweep, work) for sweep in (undisturbed, killed, terminated, pruned)}
        return {name: future.result() for name, future in running.items()}


def mlflow_runs(work: Path, sweep: str) -> tuple[Run, list[Run]]:
    """The sweep's own run and its jobs', by number."""
    client = MlflowClient(f"sqlite:///{work}/mlflow.db")
    parent = client.get_run((work / sweep / "mlflow_run.txt").read_text().strip())
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    return parent, sorted(children, key=lambda run: int(run.data.tags["job"]))


def results(sweep: Path, jobs: int) -> list[Any]:
    """All numbers of the first jobs, to the last bit, but for the clock's."""
    found: list[Any] = []
    for job in JOBS[:jobs]:
        rows = [json.loads((sweep / job / "metrics.json").read_text()), *read_results(sweep / job / "results.csv")]
        found.append([{key: value for key, value in row.items() if key not in CLOCK} for row in rows])
    return found


def test_a_killed_sweep_goes_on_to_the_table_of_an_undisturbed_one(work: Path, sweeps: dict[str, Any]) -> None:
    stopped = sweeps["killed"]
    assert stopped.status == -signal.SIGKILL
    assert stopped.folders == JOBS[:2]
    statuses = (stopped.parent.info.status, [run.info.status for run in stopped.children])
    assert statuses == ("RUNNING", ["FINISHED", "RUNNING"])
    assert results(work / "killed", 3) == results(work / "undisturbed", 3)
    assert len({job[0]["mAP50"] for job in results(work / "killed", 3)}) == 3  # or they might all be 0
    assert {file: file.stat().st_mtime_ns for file in stopped.written} == stopped.written
    assert "0_seed=1 is done" in stopped.said
    assert "resuming after 1 epochs and 0 steps" in (work / "killed" / JOBS[1] / "run.log").read_text()


def test_a_terminated_sweep_is_marked_and_goes_on_too(work: Path, sweeps: dict[str, Any]) -> None:
    stopped = sweeps["terminated"]
    assert stopped.status == 143
    statuses = (stopped.parent.info.status, [run.info.status for run in stopped.children])
    assert statuses == ("KILLED", ["FINISHED", "KILLED"])
    # the second job may have been stopped within an epoch, of which it then tells the rest's loss
    ours, theirs = (results(work / sweep, 2) for sweep in ("terminated", "undisturbed"))
    for job in (ours, theirs):
        for row in job[1]:
            for name in ("train/loss", "train/loss_cls", "train/loss_box"):
                row.pop(name, None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("sweep", "seeds"), [("undisturbed", (1, 2, 3)), ("killed", (1, 2, 3)), ("terminated", (1, 2))]
)
def test_mlflow_has_one_parent_and_each_job_once_with_every_step(
    work: Path, sweeps: dict[str, Any], sweep: str, seeds: tuple[int, ...]
) -> None:
    parent, children = mlflow_runs(work, sweep)
    assert parent.info.status == "FINISHED"
    assert [(run.info.run_name, run.data.params["seed"]) for run in children] == [
        (f"seed={n} · {sweep}", str(n)) for n in seeds
    ]
    if sweep != "undisturbed":
        assert [run.info.run_id for run in children][:2] == [run.info.run_id for run in sweeps[sweep].children]
    client = MlflowClient(f"sqlite:///{work}/mlflow.db")
    for run in children:
        assert (run.info.status, run.data.tags["sweep"]) == ("FINISHED", f"multirun {sweep}")
        for metric in ("train/loss", "val/loss", "val/mAP50"):
            steps = [entry.step for entry in client.get_metric_history(run.info.run_id, metric)]
            assert steps == [1, 2, 3], metric


def test_a_pruned_trial_ends_its_training_and_has_results(work: Path, sweeps: dict[str, Any]) -> None:
    import optuna

    (job,) = (work / "pruned").glob("0_seed=*")
    assert (job / "pruned.txt").read_text().startswith("ThresholdPruner after epoch 2: val/mAP ")
    assert [row["epoch"] for row in read_results(job / "results.csv")] == [1, 2]
    (trial,) = optuna.load_study(study_name="search", storage=f"sqlite:///{work}/pruned/study.db").trials
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [1, 2]
    metrics = json.loads((job / "metrics.json").read_text())
    assert metrics["mAP"] == pytest.approx(max(trial.intermediate_values.values()), abs=1e-6)
    _, (run,) = mlflow_runs(work, "pruned")
    assert run.info.status == "FINISHED"
