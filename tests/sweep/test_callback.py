"""The multirun's parent run and table, from jobs that did well, failed, or vanished."""

import csv
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn, JobStatus
from hydra.types import RunMode
from mlflow import MlflowClient
from omegaconf import DictConfig, OmegaConf

from ssd.environment import ROOT
from ssd.errors import UserError
from ssd.runs.folder import FAILURE_FILE
from ssd.sweep.launch.callback import PARENT_VARIABLE, Sweep
from ssd.sweep.report.jobs import read_jobs, varying
from ssd.sweep.report.terminal import print_table


def make_job(
    sweep: Path, number: int, overrides: list[str], metrics: object = None, failure: str | None = None
) -> Path:
    """A job's folder as Hydra and a task leave it."""
    folder = sweep / f"{number}_job"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(overrides, folder / ".hydra" / "overrides.yaml")
    OmegaConf.save({"hydra": {"job": {"num": number}}}, folder / ".hydra" / "hydra.yaml")
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    if failure is not None:
        (folder / FAILURE_FILE).write_text(failure + "\n")
    return folder


def make_config(folder: Path, enabled: bool = True, uri: str | None = None) -> DictConfig:
    return OmegaConf.create(
        {
            "tracking": {"enabled": enabled, "uri": uri or f"sqlite:///{folder}/mlflow.db", "experiment": "sweeps"},
            "hydra": {
                "mode": RunMode.MULTIRUN,
                "sweep": {"dir": str(folder / "sweep")},
                "sweeper": {
                    "_target_": "hydra._internal.core_plugins.basic_sweeper.BasicSweeper",
                    "params": {"a": "1,2"},
                },
                "runtime": {"choices": {"sweeps": "backbones"}, "output_dir": str(folder / "sweep" / "0_job")},
                "overrides": {"task": ["sweeps=backbones"]},
                "job": {"env_set": {}},
            },
        }
    )


def test_jobs_are_ranked_and_shared_overrides_left_out(tmp_path: Path) -> None:
    make_job(tmp_path, 0, ["seed=1", "backbone=vgg16"], {"mAP50": 0.5, "mAP": 0.25, "minutes": 2.0})
    make_job(tmp_path, 1, ["seed=1", "backbone=mobilenet_v2"], {"mAP50": 0.75, "mAP": 0.5, "minutes": 1.0})
    make_job(tmp_path, 2, ["seed=1", "backbone=a"], failure="out of memory")
    make_job(tmp_path, 3, ["seed=1", "backbone=b"])
    make_job(tmp_path, 4, ["seed=1", "backbone=c"], {"mAP50": 0.0})
    jobs = read_jobs(tmp_path)
    assert varying(jobs) == ["backbone"]
    assert [(job.job, job.value("backbone"), job.status, job.metrics.get("mAP50"), job.reason) for job in jobs] == [
        (1, "mobilenet_v2", "done", 0.75, ""),
        (0, "vgg16", "done", 0.5, ""),
        (4, "c", "done", 0.0, ""),
        (2, "a", "failed", None, "out of memory"),
        (3, "b", "missing", None, "no metrics.json: it was stopped, or is still running"),
    ]


def test_a_single_job_keeps_its_overrides_and_half_a_json_is_a_failure(tmp_path: Path) -> None:
    (make_job(tmp_path, 0, ["seed=1"]) / "metrics.json").write_text('{"mAP50": 0.')
    (result,) = read_jobs(tmp_path)
    assert (result.given, result.status) == (("seed=1",), "failed")


def test_the_table_shows_brackets_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_job(tmp_path, 0, ["detector.scales=[.1]"], {"mAP50": 0.5})
    print_table(read_jobs(tmp_path))
    assert "detector.scales=[.1]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "reason"), [(UserError("no such\nfolder"), "no such folder"), (KeyError("x"), "KeyError: 'x'")]
)
def test_a_failed_job_of_a_grid_keeps_its_reason_and_does_not_end_the_grid(
    tmp_path: Path, error: Exception, reason: str
) -> None:
    config = make_config(tmp_path)
    job = JobReturn(status=JobStatus.FAILED)
    job.return_value = error
    Sweep().on_job_end(config, job)
    assert job.return_value == 0.0  # Hydra raises it here while the status is FAILED
    failure = tmp_path / "sweep" / "0_job" / FAILURE_FILE
    assert failure.read_text() == reason + "\n"


def test_other_sweepers_and_single_runs_see_the_failure(tmp_path: Path) -> None:
    for key, value in (("hydra.sweeper._target_", "optuna.OptunaSweeper"), ("hydra.mode", RunMode.RUN)):
        config = make_config(tmp_path)
        OmegaConf.update(config, key, value)
        job = JobReturn(status=JobStatus.FAILED)
        job.return_value = KeyError("x")
        Sweep().on_job_end(config, job)
        assert job.status == JobStatus.FAILED


@pytest.mark.usefixtures("store")
def test_parent_run_from_start_to_end(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    sweep = Sweep()
    sweep.on_multirun_start(config)
    parent = os.environ[PARENT_VARIABLE]
    assert pickle.loads(pickle.dumps(sweep))._tracker is None  # as a job in another process gets it
    make_job(tmp_path / "sweep", 0, ["a=1"], {"mAP50": 0.5, "mAP": 0.25, "minutes": 2.0})
    make_job(tmp_path / "sweep", 1, ["a=2"], failure="out of memory")
    with pytest.raises(SystemExit, match="1"):
        sweep.on_multirun_end(config)
    assert PARENT_VARIABLE not in os.environ
    run = MlflowClient(config.tracking.uri).get_run(parent)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "backbones sweep")
    assert run.data.tags["failed_jobs"] == "1"
    assert "| 0 | 1 | done | 0.500 |" in run.data.tags["mlflow.note.content"]
    assert run.data.metrics == {"best/mAP50": 0.5, "best/mAP": 0.25}
    with (tmp_path / "sweep" / "sweep.csv").open() as file:
        assert [row["mAP50"] for row in csv.DictReader(file)] == ["0.5", ""]
    assert "out of memory" in (tmp_path / "sweep" / "sweep.md").read_text()


@pytest.mark.usefixtures("store")
def test_a_continued_sweep_goes_on_in_its_parent_run(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    first = Sweep()
    first.on_multirun_start(config)
    parent = os.environ[PARENT_VARIABLE]
    first._end("KILLED")
    OmegaConf.update(config, "hydra.job.env_set", {"SSD_SWEEP_CONTINUED": "1"})
    second = Sweep()
    second.on_multirun_start(config)
    assert os.environ[PARENT_VARIABLE] == parent
    make_job(tmp_path / "sweep", 0, ["a=1"], {"mAP50": 0.5})
    second.on_multirun_end(config)
    assert MlflowClient(config.tracking.uri).get_run(parent).info.status == "FINISHED"


@pytest.mark.parametrize("options", [{"enabled": False}, {"uri": "sqlite:////proc/nowhere/mlflow.db"}])
def test_without_mlflow_the_table_is_there_all_the_same(tmp_path: Path, options: dict) -> None:
    config = make_config(tmp_path, **options)
    sweep = Sweep()
    sweep.on_multirun_start(config)
    assert PARENT_VARIABLE not in os.environ
    make_job(tmp_path / "sweep", 0, ["a=1"], {"mAP50": 0.5})
    sweep.on_multirun_end(config)
    assert (tmp_path / "sweep" / "sweep.csv").exists()


def test_importing_the_callback_is_light() -> None:
    heavy = "'mlflow', 'numpy', 'tensorflow', 'rich'"
    code = f"import ssd.sweep.launch.callback, sys; print(sorted({{{heavy}}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


APP = """
import sys
from pathlib import Path
import hydra
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base="1.3", config_path=None)
def main(config):
    if config.a == 1:
        raise ValueError("no luck")
    (Path(HydraConfig.get().runtime.output_dir) / "metrics.json").write_text('{"mAP50": 0.5}')

main()
"""


@pytest.mark.usefixtures("store")
def test_in_hydra_a_failing_job_ends_neither_its_batch_nor_the_next(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    arguments = [
        "-m",
        "+a=1,2,3",
        "+hydra.callbacks.sweep._target_=ssd.sweep.launch.callback.Sweep",
        "hydra.sweep.dir=out",
    ]
    command = [sys.executable, "app.py", *arguments, "hydra.sweeper.max_batch_size=1"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    results = read_jobs(tmp_path / "out")
    assert [(job.given, job.status, job.reason) for job in results] == [
        (("+a=2",), "done", ""),
        (("+a=3",), "done", ""),
        (("+a=1",), "failed", "ValueError: no luck"),
    ]
    assert "no luck" in (tmp_path / "out" / "sweep.md").read_text()
