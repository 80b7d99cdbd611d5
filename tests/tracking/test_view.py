"""Where MLflow's page shows what a run recorded."""

import json
from collections.abc import Callable
from pathlib import Path

from mlflow import MlflowClient

from helpers.tracked import history, read
from ssd.tracking import view as mlflow_view
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


def test_an_experiment_has_a_view_of_its_trainings_also_one_of_before(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    old = client.create_experiment("old")
    assert open_experiment(uri, "old") == old
    new = open_experiment(uri, "new")
    view = client.get_experiment(new).tags[mlflow_view.TAG]
    assert json.loads(view)["name"] == "Trainings"
    assert mlflow_view.TAG in client.get_experiment(old).tags
    client.set_experiment_tag(new, mlflow_view.TAG, "changed by the user")
    assert open_experiment(uri, "new") == new
    assert client.get_experiment(new).tags[mlflow_view.TAG] == "changed by the user"
