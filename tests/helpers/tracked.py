"""What tests read of a run in MLflow, and what was said of it."""

import logging

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run


def read(uri: str, run_id: str | None) -> Run:
    assert run_id is not None
    return MlflowClient(uri).get_run(run_id)


def history(uri: str, run_id: str | None, key: str) -> list[tuple[int, float]]:
    assert run_id is not None
    return [(metric.step, metric.value) for metric in MlflowClient(uri).get_metric_history(run_id, key)]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "ssd.tracking.run" and r.levelno >= logging.WARNING]
