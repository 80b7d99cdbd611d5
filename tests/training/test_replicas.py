"""Devices that share each batch come to the weights of one; processes are in tests/tasks/test_machines.py."""

from pathlib import Path

import numpy as np
import pytest

from helpers import shared_training, warm
from ssd.errors import UserError
from ssd.training.joining import join_replicas, tf_config_of_slurm

SECONDS = 90  # a limit, not what it takes


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one device and two of a process came to after fifty steps."""
    folder = tmp_path_factory.mktemp("shared")
    process = warm.start(shared_training.on_one_and_on_two_devices, str(folder))
    process.join(SECONDS)
    process.kill()
    assert process.exitcode == 0
    return folder


def results(folder: Path, name: str) -> list[np.ndarray]:
    with np.load(folder / f"{name}.npz") as arrays:
        return list(arrays.values())


@pytest.mark.parametrize(
    ("one", "shared"),
    [
        ("frozen", "frozen_shared"),  # by two devices, each in two micro-batches
        ("learning", "learning_shared"),
    ],
)
def test_the_weights_and_losses_are_those_of_one_device(folder: Path, one: str, shared: str) -> None:
    for ours, theirs in zip(results(folder, shared), results(folder, one), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_batch_norms_that_are_not_synchronized_learn_something_else(folder: Path) -> None:
    apart, together = (results(folder, name) for name in ("learning_apart", "learning"))
    assert max(np.abs(ours - theirs).max() for ours, theirs in zip(apart, together, strict=True)) > 1e-3


def test_more_gpus_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: ["one"])
    with pytest.raises(UserError, match="this machine has 1 GPUs"):
        join_replicas(2)


def test_a_step_of_slurm_is_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"JOB_ID": "4711", "PROCID": "3", "STEP_NUM_TASKS": "4", "STEP_NODELIST": "gpu[08-09]"}
    for name, value in (variables | {"STEP_TASKS_PER_NODE": "2(x2)"}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    config = tf_config_of_slurm()
    places = [place.split(":") for place in config["cluster"]["worker"]]
    ports = [int(port) for _, port in places]
    assert [host for host, _ in places] == ["gpu08", "gpu08", "gpu09", "gpu09"]
    assert ports == [ports[0], ports[0] + 1] * 2
    assert 20_000 <= ports[0] < 30_000
    assert config["task"] == {"type": "worker", "index": 3}
