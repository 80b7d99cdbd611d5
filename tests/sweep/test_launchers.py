"""Sweeps through `run.py` with every launcher: in processes of their own, under one parent run, whatever happens."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import optuna
import psutil
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import TrialState

from helpers.sweeping import COMMAND, ENVIRONMENT, PROBE, sweep, table
from ssd.cli.main import main
from ssd.cores import thread_settings

LOCAL_RAY = ["+hydra.launcher.init.num_cpus=2", "+hydra.launcher.init.object_store_memory=100000000"]
OPTIONS = {"joblib": ["hydra.launcher.threads=1"], "ray": LOCAL_RAY, "submitit_local": []}


def probed(folder: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("sweep/*/probe.json"))]


def log_of(folder: Path, number: int) -> str:
    (log,) = folder.glob(f"sweep/{number}_*/run.log")
    return log.read_text()


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
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, "a")] == list(range(100))
        assert [metric.value for metric in client.get_metric_history(run.info.run_id, "a")] == list(range(100))
        assert len(client.get_metric_history(run.info.run_id, "b")) == 100


@pytest.mark.parametrize("launcher", OPTIONS)
def test_jobs_run_side_by_side_and_the_killed_and_the_failing_end_nothing(launcher: str, tmp_path: Path) -> None:
    options = [f"hydra/launcher={launcher}", "hydra.launcher.n_jobs=2", *OPTIONS[launcher]]
    done = sweep(tmp_path, *options, "seed=1,13,2,14", together=2)
    assert done.returncode == 1, done.stderr
    found = table(tmp_path)
    assert list(found) == ["seed=2", "seed=1", "seed=13", "seed=14"]
    assert (found["seed=1"], found["seed=2"]) == ("done", "done")
    assert found["seed=14"] == "failed ZeroDivisionError: a fault of ours"
    assert found["seed=13"].startswith("failed JobLostError: ")
    assert "lost" in log_of(tmp_path, 1)
    jobs = probed(tmp_path)
    assert len({job["pid"] for job in jobs}) == 2
    for job in jobs:
        threads = job["environment"]["SSD_CORES"]
        assert {name: job["environment"][name] for name in thread_settings(1)} == dict.fromkeys(
            thread_settings(1), threads
        )
        assert launcher == "submitit_local" or threads == "1"
    assert "OMP_NUM_THREADS=" in log_of(tmp_path, 0)
    assert_complete(f"sqlite:///{tmp_path}/mlflow.db", jobs=2)


def test_slurm_gets_one_array_job_with_what_the_jobs_need(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        (tmp_path / "bin" / name).write_text(f"#!{sys.executable}\n{(PROBE / 'slurm.py').read_text()}")
        (tmp_path / "bin" / name).chmod(0o755)
    parameters = "{cpus_per_task:3,gpus_per_node:1,slurm_partition:fast,timeout_min:30}"
    options = ["hydra/launcher=submitit_slurm", f"hydra.launcher.parameters={parameters}", "hydra.launcher.n_jobs=2"]
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    stand_in = {"PATH": path, "SLURM_STAND_IN": str(tmp_path / "bin" / "script"), "OMP_NUM_THREADS": "2"}
    done = sweep(tmp_path, *options, "hydra.launcher.poll_seconds=0.5", "seed=1,13,2", together=2, **stand_in)
    assert done.returncode == 1, done.stderr
    script = (tmp_path / "bin" / "script").read_text()
    for line in ("--array=0-2%2", "--cpus-per-task=3", "--gpus-per-node=1", "--partition=fast", "--time=30"):
        assert f"#SBATCH {line}\n" in script
    lost = table(tmp_path).pop("seed=13")
    assert lost.startswith("failed JobLostError: no result from 700_1 (state FAILED); its output is in ")
    environments = [job["environment"] for job in probed(tmp_path)]
    assert [(e["SSD_CORES"], e["OMP_NUM_THREADS"]) for e in environments] == [("3", "2"), ("3", "2")]  # 2: the user's
    assert_complete(f"sqlite:///{tmp_path}/mlflow.db", jobs=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow server on SQLite, started for this test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{tmp_path}/server.db"
    options = ["--backend-store-uri", store, "--artifacts-destination", f"{tmp_path}/artifacts", "--workers", "2"]
    command = [sys.executable, "-m", "mlflow", "server", *options, "--port", str(port)]
    with (tmp_path / "server.log").open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=tmp_path, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(f"{address}/health"))
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def wait_for(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 90
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.1)


def test_two_jobs_write_to_an_mlflow_server_at_once(server: str, tmp_path: Path) -> None:
    done = sweep(tmp_path, "hydra/launcher=joblib", f"tracking.uri={server}", "seed=1,2", together=2)
    assert done.returncode == 0, done.stderr
    assert "Could not" not in done.stdout + done.stderr  # what the tracker says of a loss
    assert_complete(server, jobs=2)
    parent, runs = children(server)
    assert [run.info.status for run in (parent, *runs)] == ["FINISHED"] * 3
    files = {file.path for file in MlflowClient(server).list_artifacts(parent.info.run_id)}
    assert {"sweep.csv", "sweep.md"} <= files


def test_a_search_runs_its_trials_side_by_side(tmp_path: Path) -> None:
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "seed=choice(1,2,3,14)"]
    done = sweep(tmp_path, *search, "hydra/launcher=joblib", "hydra.sweeper.sampler.seed=1", "tracking.enabled=false")
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path}/sweep/study.db")
    for trial in study.trials:
        if trial.params["seed"] == "14":
            assert trial.state == TrialState.FAIL
        else:
            assert (trial.state, trial.value) == (TrialState.COMPLETE, int(trial.params["seed"]) / 10)
    states = {trial.state for trial in study.trials}
    assert done.returncode == int(TrialState.FAIL in states), done.stderr
    assert (len(study.trials), TrialState.COMPLETE in states) == (4, True)


def test_trainings_share_the_cores(tmp_path: Path) -> None:
    tiny = ["dataset.train_images=8", "dataset.val_images=4", "training.epochs=1", "training.batch_size=4"]
    tiny += ["detector=ssdlite320", "detector.image_size=96", "backbone.alpha=0.35", "tracking.log_model=false"]
    done = sweep(tmp_path, "task.name=train", "hydra/launcher=joblib", "seed=1,2", *tiny)
    assert done.returncode == 0, done.stderr
    assert table(tmp_path) == {"seed=1": "done", "seed=2": "done"}
    parent, runs = children(f"sqlite:///{tmp_path}/mlflow.db")
    assert [run.data.tags["mlflow.parentRunId"] for run in runs] == [parent.info.run_id] * 2
    assert all({"train/loss", "val/mAP50", "best/mAP50"} <= set(run.data.metrics) for run in runs)


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_libraries_keep_to_the_threads() -> None:
    code = """
import collections, json, os
import cv2, threadpoolctl, tensorflow as tf
tf.linalg.matmul(tf.ones((64, 64)), tf.ones((64, 64)))
tasks = [open(f"/proc/self/task/{task}/comm").read().strip() for task in os.listdir("/proc/self/task")]
pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
print(json.dumps([tasks.count("tf_Compute"), cv2.getNumThreads(), max(pools)]))
"""
    env = {**os.environ, **thread_settings(1)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [1, 1, 1]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["interrupted", "killed"])
def test_when_a_sweep_ends_early_so_do_its_jobs(how: signal.Signals, tmp_path: Path) -> None:
    env = ENVIRONMENT | {"SSD_PROBE_TOGETHER": "3"}  # which two jobs at once never are
    command = [*COMMAND, "hydra/launcher=joblib", "seed=1,2,3"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, start_new_session=True)
    wait_for(lambda: len(list(tmp_path.glob("sweep/started_*"))) == 2)
    jobs = [psutil.Process(int(file.name.removeprefix("started_"))) for file in tmp_path.glob("sweep/started_*")]
    if how == signal.SIGINT:
        os.killpg(process.pid, how)  # as a terminal does
    else:
        process.kill()
    assert process.wait(60) == {signal.SIGINT: 130, signal.SIGKILL: -9}[how]
    wait_for(lambda: not any(job.is_running() and job.status() != psutil.STATUS_ZOMBIE for job in jobs))
    assert len(list(tmp_path.glob("sweep/started_*"))) == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["hydra/launcher=joblb"], "hydra/launcher=joblb: there is no such hydra/launcher; did you mean 'joblib'?"),
        (["hydra/launcher=joblib", "hydra.launcher.njobs=2"], "did you mean 'hydra.launcher.n_jobs'?"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=two"], "hydra.launcher.n_jobs: Value 'two'"),
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=0"], "hydra.launcher.n_jobs=0 must be at least 1"),
        (["hydra/launcher=joblib", "hydra.launcher.threads=0"], "hydra.launcher.threads=0 must be at least 1"),
        (["hydra/launcher=ray", "hydra.launcher.cpus=0"], "hydra.launcher.cpus=0 must be at least 1"),
    ],
)
def test_a_mistake_starts_nothing(
    overrides: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["-m", "seed=1,2", *overrides]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = {"submitit": None}
    monkeypatch.setattr("ssd.sweep.launch.config.find_spec", lambda package: found.get(package, package))
    assert main(["-m", "seed=1,2", "hydra/launcher=submitit_slurm"]) == 2
    assert "needs the package submitit, which is not installed: pip install -c constraints.txt -e '.[slurm]'" in (
        capsys.readouterr().err
    )
