"""What arrives in MLflow, and what happens to a run when MLflow is not there."""

import json
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient

from helpers.tracked import history, read, warnings
from ssd.tracking.store import open_experiment
from ssd.tracking.tracker import Tracker
from ssd.tracking.values import absolute_uri


def test_everything_of_a_run_arrives(uri: str, tracker: Callable[..., Tracker], tmp_path: Path) -> None:
    picture = tmp_path / "pr.png"
    cv2.imwrite(str(picture), np.zeros((8, 8, 3), np.uint8))
    with tracker(tags={"task": "train"}) as run:
        run_id = run.run_id or ""
        run.log_config({"seed": 0, "detector": {"scales": [0.1, 0.2], "name": "ssd300"}, "long": "x" * 10000})
        for step in (1, 2):
            run.log_metrics({"train/loss": 4.0 / step, "val/AP50/a+b": 0.5}, step)
            run.log_image(np.full((16, 16, 3), step, np.uint8), "predictions", step)
        run.log_image(picture, "curves", 2)
        run.log_dataset("shapes:val", "validation", "0123456789" * 7, 200, {"disc": 3, "box": 4}, "drawn")
        run.log_artifact(picture, "plots")
        run.log_table([{"class": "disc", "objects": 3, "AP50": 0.4094117878}], "per_class.csv")
        run.set_tags({"mlflow.note.content": "**mAP50 0.5**"})

    found = read(uri, run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "a run"
    assert history(uri, run_id, "train/loss") == [(1, 4.0), (2, 2.0)]
    assert found.data.metrics["val/AP50/a_b"] == 0.5
    assert found.data.params["detector.scales"] == "[0.1, 0.2]"
    assert len(found.data.params["long"]) == 6000
    assert found.data.tags["task"] == "train"
    assert found.data.tags["mlflow.note.content"] == "**mAP50 0.5**"
    assert found.inputs is not None
    (entry,) = found.inputs.dataset_inputs
    assert entry.dataset.profile is not None
    assert (entry.dataset.name, entry.dataset.digest) == ("shapes:val", ("0123456789" * 4)[:36])
    profile = json.loads(entry.dataset.profile)
    assert (profile["num_rows"], profile["num_elements"], profile["objects_per_class"]["box"]) == (200, 7, 4)
    client = MlflowClient(uri)
    assert {file.path for file in client.list_artifacts(run_id)} == {"images", "plots", "per_class.csv"}
    pictures = [Path(file.path).name for file in client.list_artifacts(run_id, "images")]
    steps = [name for name in pictures if name.startswith("pictures~predictions") and name.endswith(".png")]
    assert len(steps) == 2
    artifacts = Path(absolute_uri(uri).removeprefix("sqlite:///")).parent / "mlartifacts" / run_id / "artifacts"
    assert (artifacts / "per_class.csv").read_text() == "class,objects,AP50\ndisc,3,0.4094\n"


def test_more_params_than_one_request_takes(uri: str, tracker: Callable[..., Tracker]) -> None:
    with tracker() as run:
        run_id = run.run_id
        run.log_config({f"key{i}": i for i in range(230)})
    assert len(read(uri, run_id).data.params) == 230


def test_a_resumed_run_goes_on_in_its_run(uri: str, tracker: Callable[..., Tracker]) -> None:
    with tracker() as first:
        first.log_config({"epochs": 1})
        first.log_metrics({"train/loss": 4.0}, 1)
        run_id = first.run_id
    with tracker(run_id=run_id) as second:
        assert second.run_id == run_id
        assert read(uri, run_id).info.status == "RUNNING"
        second.log_config({"epochs": 2})  # MLflow would refuse the new value
        second.log_metrics({"train/loss": 2.0}, 2)
    assert read(uri, run_id).data.params == {"epochs": "1"}
    assert history(uri, run_id, "train/loss") == [(1, 4.0), (2, 2.0)]


def test_a_run_that_the_store_lost_starts_anew(
    uri: str, tracker: Callable[..., Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    lost = "0" * 32
    with tracker(run_id=lost) as run:
        run.log_config({"epochs": 2})
        run_id = run.run_id
    assert read(uri, run_id).data.params == {"epochs": "2"}
    assert warnings(caplog) == [f"MLflow at {run.uri} has no run {lost} to continue; a new run starts"]


def test_children_name_their_parent(uri: str, tracker: Callable[..., Tracker]) -> None:
    with tracker() as parent:
        with tracker(parent_run_id=parent.run_id) as child:
            child_id = child.run_id
        parent.log_metrics({"best/mAP50": 0.5}, 0)
        parent_id = parent.run_id
    assert read(uri, child_id).data.tags["mlflow.parentRunId"] == parent_id
    assert "mlflow.parentRunId" not in read(uri, parent_id).data.tags
    assert history(uri, parent_id, "best/mAP50") == [(0, 0.5)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (KeyboardInterrupt(), "KILLED"),
        (ValueError("the loss is NaN"), "FAILED"),
        (SystemExit(1), "FAILED"),
        (SystemExit(0), "FINISHED"),
    ],
)
def test_status_tells_how_a_run_ended(
    uri: str, tracker: Callable[..., Tracker], error: BaseException, status: str
) -> None:
    run = tracker()
    ids: list[str | None] = []

    def train() -> None:
        with run:
            ids.append(run.run_id)
            run.log_metrics({"train/loss": 1.0}, 1)
            raise error

    with pytest.raises(type(error)):
        train()
    found = read(uri, ids[0])
    assert found.info.status == status
    assert found.data.metrics == {"train/loss": 1.0}
    if isinstance(error, ValueError):
        assert found.data.tags["error"] == "ValueError: the loss is NaN"


def test_a_dead_server_costs_seconds_and_one_sentence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    start = time.monotonic()
    with Tracker("http://127.0.0.1:9", "ssd", "a run", tmp_path, system_metrics=True) as run:
        run.log_config({"seed": 0})
        for step in range(100):
            run.log_metrics({"train/loss": 1.0}, step)
        run.log_image(np.zeros((8, 8, 3), np.uint8), "predictions", 1)
        run.log_artifact(tmp_path / "report.md")
        run.log_model(tmp_path / "best.keras")
    assert time.monotonic() - start < 6
    (sentence,) = warnings(caplog)
    assert sentence.startswith("Could not start a run in MLflow at http://127.0.0.1:9 (")
    assert sentence.endswith("; the run goes on without it")


def test_a_failure_on_the_way_keeps_the_metrics_for_the_end(
    uri: str, tracker: Callable[..., Tracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with tracker() as run:
        run_id = run.run_id
        run.log_artifact(tmp_path / "missing.png")
        run.log_artifact(tmp_path / "missing too.png")
        run.log_metrics({"train/loss": 1.0}, 1)
        run.set_tags({"late": "true"})
    (sentence,) = warnings(caplog)
    assert "Could not write an artifact" in sentence
    assert "missing.png" in sentence
    found = read(uri, run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics == {"train/loss": 1.0}
    assert "late" not in found.data.tags


def test_calls_after_the_end_and_without_mlflow_do_nothing(
    tracker: Callable[..., Tracker], caplog: pytest.LogCaptureFixture
) -> None:
    closed = tracker()
    with closed:
        assert closed.page is not None
    disabled = tracker(enabled=False)
    with disabled:
        assert disabled.run_id is None
        assert disabled.page is None
        disabled.log_metrics({"train/loss": 1.0}, 1)
    for run in (closed, disabled):
        run.log_metrics({"train/loss": 1.0}, 1)
        run.log_image(np.zeros((8, 8, 3), np.uint8), "predictions", 1)
        run.close("FAILED")
    assert mlflow.active_run() is None
    assert warnings(caplog) == []


def _start(uri: str, folder: Path, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with Tracker(uri, "ssd", "a run", folder) as run:
        run.log_metrics({"train/loss": 1.0}, 1)


def test_two_processes_open_a_fresh_database_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    uri = f"sqlite:///{tmp_path}/new folder/mlflow.db"
    processes = [context.Process(target=_start, args=(uri, tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    runs = MlflowClient(uri).search_runs([open_experiment(uri, "ssd")])
    assert [(run.info.status, run.data.metrics) for run in runs] == [("FINISHED", {"train/loss": 1.0})] * 2


def test_the_workload_is_recorded_and_goes_on_in_a_resumed_run(
    uri: str, tracker: Callable[..., Tracker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.1")
    run_id, key = None, "workload/cpu_utilization_percentage"
    for samples in (1, 2):
        with tracker(system_metrics=True, run_id=run_id) as run:
            run_id = run.run_id
            run.log_metrics({"train/loss": 1.0}, samples)
            deadline = time.monotonic() + 30
            while len(history(uri, run_id, key)) < samples:
                assert time.monotonic() < deadline
                time.sleep(0.1)
    steps = [step for step, _ in history(uri, run_id, key)]
    assert steps == list(range(len(steps)))


def test_tensorboard_gets_the_scalars_without_mlflow(tracker: Callable[..., Tracker], tmp_path: Path) -> None:
    import tensorflow as tf

    with tracker(enabled=False, tensorboard=True) as run:
        run.log_metrics({"train/loss": 1.5}, 3)
    (file,) = (tmp_path / "tensorboard").glob("*.tfevents.*")
    events = [(e.step, v) for e in tf.compat.v1.train.summary_iterator(str(file)) for v in e.summary.value]
    ((step, value),) = events
    assert (step, value.tag, float(tf.make_ndarray(value.tensor))) == (3, "train/loss", 1.5)
    assert value.metadata.plugin_data.plugin_name == "scalars"


def test_tensorboard_that_cannot_write_is_said_once(
    tracker: Callable[..., Tracker], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    with tracker(enabled=False, tensorboard=True) as run:
        run.log_metrics({"train/loss": 1.5}, 1)
        run.log_metrics({"train/loss": 1.5}, 2)
    (sentence,) = warnings(caplog)
    assert sentence.startswith(f"Could not write TensorBoard's files in {tmp_path} (")
