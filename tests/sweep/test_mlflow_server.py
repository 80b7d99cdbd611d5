"""Two jobs of a sweep that write to one MLflow server."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from helpers.sweeping import assert_complete, children, sweep, wait_for


@pytest.fixture
def server(empty_store: Path, tmp_path: Path) -> Iterator[str]:
    """The address of an MLflow server on SQLite, started for this test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = f"sqlite:///{shutil.copy(empty_store, tmp_path / 'server.db')}"
    options = ["--backend-store-uri", store, "--artifacts-destination", f"{tmp_path}/artifacts", "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *options, "--port", str(port)]
    with (tmp_path / "server.log").open("w") as file:
        env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # more processes, for nothing here
        process = subprocess.Popen(command, stdout=file, stderr=file, cwd=tmp_path, env=env, start_new_session=True)
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


def test_two_jobs_write_to_an_mlflow_server_at_once(server: str, tmp_path: Path) -> None:
    options = ["hydra/launcher=joblib", f"tracking.uri={server}", "seed=1,2"]
    status, said = sweep(tmp_path, *options, together=2, imported="helpers.forked_jobs")
    assert status == 0, said
    logs = [log.read_text() for log in tmp_path.glob("sweep/*/run.log")]
    assert len(logs) == 2
    assert "Could not" not in "".join([said, *logs])  # what the tracker says of a loss
    assert_complete(server, jobs=2)
    parent, runs = children(server)
    assert [run.info.status for run in (parent, *runs)] == ["FINISHED"] * 3
    files = {file.path for file in MlflowClient(server).list_artifacts(parent.info.run_id)}
    assert {"sweep.csv", "configurations.csv"} <= files
