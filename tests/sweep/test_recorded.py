"""Sweeps read back from MLflow, the registry, and task=report."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient
from omegaconf import OmegaConf

from helpers.sweep_jobs import write_job
from ssd.cli.main import main
from ssd.errors import UserError
from ssd.sweep.report.recorded import recorded_jobs
from ssd.sweep.report.sources import read_source
from ssd.tracking.store import entities, parent_of, register_model
from ssd.tracking.tracker import Tracker


def test_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_job(Path("a+b"), 0, [], 0.5)
    write_job(Path("c"), 0, [], 0.5)
    run_id = "0123456789abcdef" * 2
    assert read_source("a+b").sweeps == (Path("a+b"),)
    found = read_source(f"c+{run_id}+c/0_job")
    assert (found.sweeps, found.ids, found.runs) == ((Path("c"),), (run_id,), (Path("c/0_job"),))
    Path("d").mkdir()
    Path("d/latest").symlink_to(Path("../c/0_job"))
    wrong = {
        "c+": "''",
        "d": "source=d is not the folder of a sweep",
        "e": "'e' is neither",
        "c/0_job/.hydra": "not the folder of a sweep",
    }
    for source, message in wrong.items():
        with pytest.raises(UserError, match=message):
            read_source(source)


@pytest.fixture
def recorded(uri: str, tmp_path: Path) -> list[str]:
    """The ids of a sweep's run, which was killed, and of its jobs: one done, one failed."""
    ids = []
    parent = Tracker(uri, "ssd", "a sweep", tmp_path, tags={"task": "sweep"})
    parent.__enter__()
    ids.append(parent.run_id or "")
    for number, seed in enumerate((1, 2)):
        tags = {"task": "train", "command": f"python run.py seed={seed} 'dataset.path=my data'", "job": str(number)}
        with Tracker(uri, "ssd", "a job", tmp_path, parent_run_id=parent.run_id, tags=tags) as run:
            ids.append(run.run_id or "")
            run.log_config({"seed": seed, "dataset": {"path": "my data"}})
            for epoch in (1, 2, 3):
                run.log_metrics(
                    {"train/loss": 3.0 / epoch, "val/mAP50": (0.1, 0.5, 0.4)[epoch - 1], "minutes": epoch}, epoch
                )
            if seed == 1:
                run.log_metrics(
                    {"best/mAP50": 0.5, "best/mAP": 0.25, "model/parameters": 6e6, "model/latency_ms": 30.0}, 2
                )
            else:
                run.set_tags({"error": "ValueError: the loss is NaN"})
                run.close("FAILED")
    parent.close("KILLED")
    return ids


def test_jobs_from_mlflow(uri: str, recorded: list[str], tmp_path: Path) -> None:
    jobs = recorded_jobs(uri, [recorded[0]])
    assert [(job.job, job.given, job.status, job.reason) for job in jobs] == [
        (0, ("seed=1", "dataset.path=my data"), "done", ""),
        (1, ("seed=2", "dataset.path=my data"), "failed", "ValueError: the loss is NaN"),
    ]
    assert jobs[0].metrics == {
        "mAP50": 0.5,
        "mAP": 0.25,
        "parameters": 6e6,
        "latency_ms": 30.0,
        "minutes": 3.0,
        "epoch": 2.0,
    }
    assert jobs[0].epochs == [
        {"epoch": 1.0, "train/loss": 3.0, "val/mAP50": 0.1},
        {"epoch": 2.0, "train/loss": 1.5, "val/mAP50": 0.5},
        {"epoch": 3.0, "train/loss": 1.0, "val/mAP50": 0.4},
    ]
    assert jobs[0].value("dataset.path") == "my data"
    MlflowClient(uri).set_tag(recorded[1], "pruned", "after epoch 3")
    pruned = recorded_jobs(uri, [recorded[1]])[0]
    assert (pruned.status, pruned.reason, pruned.done) == ("pruned", "after epoch 3", False)
    assert [job.run_id for job in recorded_jobs(uri, [recorded[2], recorded[1]])] == [recorded[2], recorded[1]]
    assert parent_of(uri, recorded[1:]) == recorded[0]
    assert parent_of(uri, recorded) is None
    with pytest.raises(UserError, match=f"has no run {'0' * 32}; give tracking"):
        recorded_jobs(uri, ["0" * 32])
    with pytest.raises(UserError, match=r"there is no such file; give tracking\.uri="):
        recorded_jobs(f"sqlite:///{tmp_path}/none.db", recorded[:1])
    with Tracker(uri, "ssd", "empty", tmp_path, tags={"task": "sweep"}) as empty:
        pass_id = empty.run_id or ""
    with pytest.raises(UserError, match=r"\(empty\) is a sweep without jobs; leave it out of source"):
        recorded_jobs(uri, [pass_id])


def test_the_best_epoch_of_a_recorded_run_is_by_its_own_best_by(uri: str, tmp_path: Path) -> None:
    with Tracker(uri, "ssd", "a job", tmp_path, tags={"task": "train", "command": "python run.py seed=1"}) as run:
        run.log_config({"training.best_by": "val/mAP"})
        for epoch, (loose, tight) in enumerate([(0.968, 0.451), (0.944, 0.639)], 1):
            run.log_metrics({"val/mAP50": loose, "val/mAP": tight}, epoch)
        run.log_metrics({"best/mAP50": 0.944, "best/mAP": 0.639}, 2)
        run_id = run.run_id or ""
    (job,) = recorded_jobs(uri, [run_id])
    assert (job.best_by, job.metrics["epoch"], job.done) == ("val/mAP", 2.0, True)
    assert job.epochs[0] == {"epoch": 1.0, "val/mAP": 0.451, "val/mAP50": 0.968}


def test_a_sweeps_run_has_the_data_sets_and_the_shared_tags_of_its_jobs(uri: str, tmp_path: Path) -> None:
    ids = []
    for backbone in ("vgg16", "mobilenet_v2"):
        with Tracker(uri, "ssd", backbone, tmp_path, tags={"backbone": backbone, "detector": "ssd300"}) as run:
            run.log_dataset("cells:train", "training", "0" * 36, 3, {"a": 1}, "cells")
            run.log_dataset("cells:val", "validation", "1" * 36, 2, {"a": 1}, "cells")
            ids.append(run.run_id or "")
    with Tracker(uri, "ssd", "sweep", tmp_path, tags={"task": "sweep"}) as parent:
        parent.take_over(ids)
        parent.take_over(ids)  # as a report that is made again
        parent_id = parent.run_id or ""
    found = MlflowClient(uri).get_run(parent_id)
    assert found.inputs is not None
    contexts = {(entry.dataset.name, entry.tags[0].value) for entry in found.inputs.dataset_inputs}
    assert contexts == {("cells:train", "training"), ("cells:val", "validation")}
    assert len(found.inputs.dataset_inputs) == 2
    assert found.data.tags["detector"] == "ssd300"
    assert "backbone" not in found.data.tags


def log_a_model(uri: str, run_id: str) -> str:
    """A logged model of the run, without files; gives its id."""
    client = MlflowClient(uri)
    model = client.create_logged_model(client.get_run(run_id).info.experiment_id, "model", run_id)
    client.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run_id, [entities.LoggedModelOutput(model.model_id, 0)])
    return model.model_id


def test_registering_makes_one_version_per_detector(uri: str, recorded: list[str]) -> None:
    client = MlflowClient(uri)
    with pytest.raises(UserError, match=f"run {recorded[1]} has no model; train with tracking.log_model=true"):
        register_model(uri, recorded[1], "cells", "champion", {})
    models = [log_a_model(uri, run_id) for run_id in recorded[1:]]
    for run_id, model, version in (
        (recorded[1], models[0], "1"),
        (recorded[2], models[1], "2"),
        (recorded[1], models[0], "1"),
    ):
        assert register_model(uri, run_id, "cells", "champion", {"mAP50": "0.5"}) == "models:/cells@champion"
        found = client.get_model_version_by_alias("cells", "champion")
        assert (str(found.version), found.source, found.tags["mAP50"]) == (version, f"models:/{model}", "0.5")
    assert len(client.search_model_versions("name = 'cells'")) == 2


@pytest.mark.usefixtures("command_line")
def test_task_report_makes_it_again_where_it_was(uri: str, recorded: list[str], tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    for number, value in enumerate((0.5, None)):
        folder = write_job(sweep, number, [f"seed={number + 1}"], value, run_id=recorded[number + 1])
        OmegaConf.save({"seed": number + 1, "tracking": {"uri": uri}}, folder / "config.yaml")
    model = log_a_model(uri, recorded[1])
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "latest_sweep").symlink_to(sweep)
    source = "source=elsewhere/latest_sweep"
    assert main(["task=report", source, "sweep.register=report cells", "sweep.alias=best"]) == 0
    assert "- Its folder: [0_job](0_job)" in (sweep / "sweep.md").read_text()
    assert "Registered in MLflow as `models:/report cells@best`" in (sweep / "sweep.md").read_text()
    client = MlflowClient(uri)
    version = client.get_model_version_by_alias("report cells", "best")
    assert (version.source, version.tags["mAP50"]) == (f"models:/{model}", "0.5000")  # older than training.best_by
    run = client.get_run(recorded[0])
    assert run.info.status == "KILLED"  # as it was
    assert "| 1 | done | 0.500 |" in run.data.tags["mlflow.note.content"]
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"])[0] == {"path": "jobs.json", "type": "table"}
    table = client.load_table(run.info.experiment_id, "jobs.json", [recorded[0]])
    assert main(["task=report", "source=sweep"]) == 0
    again = client.load_table(run.info.experiment_id, "jobs.json", [recorded[0]])
    assert len(again) == len(table) == 2  # in the place of the older one
    assert {file.path for file in client.list_artifacts(recorded[0])} >= {"configurations.csv", "sweep.csv", "plots"}


@pytest.mark.usefixtures("command_line")
def test_task_report_of_runs(uri: str, recorded: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_job(tmp_path / "other", 0, ["seed=9"], 0.75)
    assert main(["task=report", f"source=other+{recorded[0]}", f"tracking.uri={uri}"]) == 0
    (folder,) = (tmp_path / "outputs" / "report").iterdir()
    text = (folder / "sweep.md").read_text()
    assert "3 jobs: 2 done, 1 failed. What varies: `dataset.path`, `seed`." in text
    assert "../../../other/0_job" in text
    client = MlflowClient(uri)
    (sent,) = client.search_runs(["1"], "tags.task = 'report'")  # a new run, as these are not one sweep's jobs
    assert (sent.data.metrics["best/mAP50"], sent.info.status) == (0.75, "FINISHED")
    assert "mlflow.note.content" not in client.get_run(recorded[0]).data.tags
    assert main(["task=report", f"source={recorded[0]}", f"tracking.uri={uri}"]) == 0
    assert "mlflow.note.content" in client.get_run(recorded[0]).data.tags
    with pytest.raises(SystemExit, match="2"):
        main(["task=report", f"source={recorded[1]}", f"tracking.uri={uri}", "sweep.register=none"])
    assert "error: sweep.register=none: run" in capsys.readouterr().err
