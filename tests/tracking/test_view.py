"""Where MLflow's page shows what a run recorded."""

import json
import zlib
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlflow import MlflowClient, entities

from helpers.tracked import history, read
from ssd.tracking.store import open_experiment
from ssd.tracking.tracker import Tracker


def test_metrics_are_where_the_page_shows_them_well(uri: str, tracker: Callable[..., Tracker]) -> None:
    with tracker() as run:
        run_id = run.run_id
        run.log_metrics({"lr": 0.1, "minutes": 2.0, "val/mAP": 0.5, "val/mAP75": 0.25, "val/AR_small": 0.125}, 3)
        for step, best in ((3, 0.5), (4, 0.75)):
            run.log_metrics({"best/mAP50": best, "train/loss": 1.0}, step)
    found = read(uri, run_id).data.metrics
    names = {"lr/learning_rate", "train/minutes", "val/mAP", "val/coco/mAP75", "val/coco/AR_small"}
    assert set(found) == names | {"best/mAP50", "train/loss"}
    assert history(uri, run_id, "best/mAP50") == [(0, 0.5), (0, 0.75)]  # only step 0: drawn as bars
    assert found["best/mAP50"] == 0.75
    assert history(uri, run_id, "train/loss") == [(3, 1.0), (4, 1.0)]


def test_results_stand_first_and_what_the_machine_did_last(uri: str, tracker: Callable[..., Tracker]) -> None:
    """The page lists metrics as the store first got them."""
    with tracker() as run:
        run_id = run.run_id
        run._run.add_workload([entities.Metric("workload/cpu", 50.0, 0, 0)])
        run.log_metrics({"train/loss": 3.14159, "lr": 1e-3, "val/loss": 2.0, "val/mAP": 0.91096521, "best/mAP": 0.5}, 1)
        run._run.add_workload([entities.Metric("workload/cpu", 60.0, 0, 1)])
    found = read(uri, run_id).data.metrics
    assert list(found) == ["best/mAP", "val/mAP", "val/loss", "train/loss", "lr/learning_rate", "workload/cpu"]
    assert (found["val/mAP"], found["train/loss"], found["workload/cpu"]) == (0.911, 3.142, 60.0)


def test_a_run_without_results_keeps_what_the_machine_did(uri: str, tracker: Callable[..., Tracker]) -> None:
    with tracker() as run:
        run_id = run.run_id
        run._run.add_workload([entities.Metric("workload/cpu", 50.0, 0, 0)])
    assert read(uri, run_id).data.metrics == {"workload/cpu": 50.0}


def view_of(uri: str, experiment: str, key: str) -> dict[str, Any]:
    """A saved view, unpacked."""
    text = MlflowClient(uri).get_experiment(experiment).tags[f"mlflow.sharedViewState.{key}"]
    view = json.loads(text)
    return {**view, **json.loads(zlib.decompress(b64decode(view["state"].removeprefix("deflate;"))))}


def test_an_experiment_has_views_of_all_trainings_and_of_those_on_each_data_set(
    uri: str, tracker: Callable[..., Tracker]
) -> None:
    with tracker(tags={"task": "train", "dataset": "cells 3f2a91"}) as run:
        page = run.page or ""
    with tracker(tags={"task": "evaluate", "dataset": "other 3f2a91"}) as evaluation:
        assert (evaluation.page or "").endswith("viewStateShareKey=trainings")
    experiment = page.split("/experiments/")[1].split("/")[0]
    assert page.endswith("viewStateShareKey=cells-3f2a91")
    everything, cells = (view_of(uri, experiment, key) for key in ("trainings", "cells-3f2a91"))
    assert (everything["name"], cells["name"]) == ("Trainings", "Trainings on cells 3f2a91")
    assert everything["searchFilter"] == "tags.task = 'train'"
    assert [
        found.data.tags["dataset"] for found in MlflowClient(uri).search_runs([experiment], cells["searchFilter"])
    ] == ["cells 3f2a91"]
    assert "mlflow.sharedViewState.other-3f2a91" not in MlflowClient(uri).get_experiment(experiment).tags


def test_views_of_before_are_renewed_unless_the_user_changed_them(store: Path) -> None:
    uri = f"sqlite:///{store}"
    client, tag = MlflowClient(uri), "mlflow.sharedViewState.trainings"
    old = client.create_experiment("old")
    assert open_experiment(uri, "old") == old
    now = client.get_experiment(old).tags[tag]
    outdated = json.dumps({**json.loads(now), "state": "deflate;"})
    client.set_experiment_tag(old, tag, outdated)
    open_experiment(uri, "old")
    assert view_of(uri, old, "trainings")["orderByKey"] == "metrics.`best/mAP`"
    for mine in ("in a form of its own", json.dumps({**json.loads(outdated), "updatedAt": 0})):
        client.set_experiment_tag(old, tag, mine)
        open_experiment(uri, "old")
        assert client.get_experiment(old).tags[tag] == mine


def test_neighbours_differ_in_colour_also_jobs_that_start_at_once(store: Path, tmp_path: Path) -> None:
    uri, palette = f"sqlite:///{store}", ["#a00000", "#b00000", "#c00000", "#d00000"]

    def start(**options: Any) -> tuple[str, str]:
        with Tracker(uri, "ssd", "a run", tmp_path, colours=palette, **options) as run:
            run_id = run.run_id or ""
        return run_id, read(uri, run_id).data.tags["mlflow.runColor"]

    first, second = start()[1], start()[1]
    assert (first, second) == ("#a00000", "#b00000")
    with Tracker(uri, "ssd", "sweep", tmp_path, tags={"task": "sweep"}) as parent:
        jobs = [start(parent_run_id=parent.run_id, tags={"job": str(job)})[1] for job in range(2)]
    assert jobs == ["#c00000", "#d00000"]
    assert start()[1] == "#a00000"  # which was not used for longest
    resumed = start()[0]
    before = read(uri, resumed).data.tags["mlflow.runColor"]
    assert start(run_id=resumed) == (resumed, before)
