"""Sweeps through `run.py` with every launcher: in processes of their own, under one parent run, whatever happens."""

import json
import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from helpers.sweeping import assert_complete, children, sweep, table
from helpers.tiny import TINY
from ssd.cli.main import main
from ssd.cores import thread_settings
from ssd.environment import ROOT

pytestmark = pytest.mark.usefixtures("store")

SLURM = ROOT / "tests" / "helpers" / "slurm.py"
LOCAL_RAY = ["+hydra.launcher.init.num_cpus=2", "+hydra.launcher.init.object_store_memory=100000000"]
OPTIONS = {"joblib": ["hydra.launcher.threads=1"], "ray": LOCAL_RAY, "submitit_local": []}
IMPORTED = {"submitit_local": "helpers.prompt_jobs"}
SEEDS = {"joblib": (1, 13, 2, 14), "ray": (1, 13, 2, 14), "submitit_local": (1, 13, 2)}  # what helpers/probe.py says


def probed(folder: Path) -> list[dict]:
    return [json.loads(file.read_text()) for file in sorted(folder.glob("sweep/*/probe.json"))]


def log_of(folder: Path, number: int) -> str:
    (log,) = folder.glob(f"sweep/{number}_*/run.log")
    return log.read_text()


@pytest.mark.parametrize("launcher", OPTIONS)
def test_jobs_run_side_by_side_and_the_killed_and_the_failing_end_nothing(launcher: str, tmp_path: Path) -> None:
    # each job's process would take seconds to import MLflow, as they do on Slurm below
    options = [f"hydra/launcher={launcher}", "hydra.launcher.n_jobs=2", "tracking.enabled=false", *OPTIONS[launcher]]
    options += [f"seed={','.join(map(str, SEEDS[launcher]))}"]
    status, said = sweep(tmp_path, *options, together=2, imported=IMPORTED.get(launcher, "ssd"))
    assert status == 1, said
    found = table(tmp_path)
    assert list(found) == [f"seed={seed}" for seed in (2, 1, 13, 14) if seed in SEEDS[launcher]]
    assert (found["seed=1"], found["seed=2"]) == ("done", "done")
    if 14 in SEEDS[launcher]:
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


def test_slurm_gets_one_array_job_with_what_the_jobs_need(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for name in ("sbatch", "srun", "sacct", "scancel"):
        (tmp_path / "bin" / name).write_text(f"#!{sys.executable}\n{SLURM.read_text()}")
        (tmp_path / "bin" / name).chmod(0o755)
    parameters = "{cpus_per_task:3,gpus_per_node:1,slurm_partition:fast,timeout_min:30}"
    options = ["hydra/launcher=submitit_slurm", f"hydra.launcher.parameters={parameters}", "hydra.launcher.n_jobs=2"]
    path = os.pathsep.join([str(tmp_path / "bin"), os.environ["PATH"]])
    status, said = sweep(
        tmp_path,
        *options,
        "hydra.launcher.poll_seconds=0.5",
        "seed=1,13",
        imported="helpers.prompt_jobs",
        PATH=path,
        SLURM_STAND_IN=str(tmp_path / "bin" / "script"),
        OMP_NUM_THREADS="2",
    )
    assert status == 1, said
    script = (tmp_path / "bin" / "script").read_text()
    for line in ("--array=0-1%2", "--cpus-per-task=3", "--gpus-per-node=1", "--partition=fast", "--time=30"):
        assert f"#SBATCH {line}\n" in script
    lost = table(tmp_path).pop("seed=13")
    assert lost.startswith("failed JobLostError: no result from 700_1 (state FAILED); its output is in ")
    environments = [job["environment"] for job in probed(tmp_path)]
    assert [(e["SSD_CORES"], e["OMP_NUM_THREADS"]) for e in environments] == [("3", "2")]  # 2: the user's
    assert_complete(f"sqlite:///{tmp_path}/mlflow.db", jobs=1)


def test_a_search_runs_its_trials_side_by_side(tmp_path: Path) -> None:
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2", "seed=choice(1,2,3,14)"]
    options = ["hydra/launcher=joblib", "hydra.sweeper.sampler.seed=1", "tracking.enabled=false"]
    status, said = sweep(tmp_path, *search, *options, imported="helpers.forked_jobs")
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{tmp_path}/sweep/study.db")
    for trial in study.trials:
        if trial.params["seed"] == "14":
            assert trial.state == TrialState.FAIL
        else:
            assert (trial.state, trial.value) == (TrialState.COMPLETE, int(trial.params["seed"]) / 10)
    states = {trial.state for trial in study.trials}
    assert status == int(TrialState.FAIL in states), said
    assert (len(study.trials), TrialState.COMPLETE in states) == (4, True)


def test_trainings_share_the_cores(tmp_path: Path) -> None:
    options = ["task=train", "hydra/launcher=joblib", "seed=1,2", *TINY, "training.epochs=1", "task.pictures=0"]
    status, said = sweep(tmp_path, *options, imported="helpers.forked_jobs")
    assert status == 0, said
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
    assert [file.name for file in tmp_path.iterdir()] == ["mlflow.db"]


def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    found = {"submitit": None}
    monkeypatch.setattr("ssd.sweep.launch.config.find_spec", lambda package: found.get(package, package))
    assert main(["-m", "seed=1,2", "hydra/launcher=submitit_slurm"]) == 2
    assert "needs the package submitit, which is not installed: pip install -c constraints.txt -e '.[slurm]'" in (
        capsys.readouterr().err
    )
