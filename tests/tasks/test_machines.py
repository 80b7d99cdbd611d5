"""Two processes that train one detector: one killed, both resumed, fifty steps, and compared with one that is alone."""

import shutil
import signal
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from helpers.cluster import tf_configs
from helpers.tiny import CONFIG_DIR, TINY
from helpers.warm import Process
from ssd.models.checkpoint import load_detector, read_average
from ssd.runs.folder import LAST, RESULTS
from ssd.runs.results import read_results

SETTINGS = [
    *TINY,
    "+backbone.frozen_batch_norm=true",
    "detector.batch_norm=true",  # these learn
    "training.synchronized_batch_norm=true",
    "training.ema=0.9",
    "optimizer.learning_rate=1e-3",
    "training.epochs=17",
    "training.evaluate_every=17",
    "task.pictures=0",
    "tracking.enabled=false",
]


def both(work: Path, *arguments: str) -> list[Process]:
    return [Process(work, *arguments, TF_CONFIG=config) for config in tf_configs(2)]


def test_a_killed_process_ends_the_other_and_both_go_on(work: Path) -> None:
    alone = Process(work, *SETTINGS, "name=alone")
    chief, other = both(work, *SETTINGS, "name=shared")
    deadline = time.monotonic() + 120
    while not any(len(read_results(file)) > 2 for file in work.glob(f"outputs/train/*_shared/{RESULTS}")):
        assert time.monotonic() < deadline and not chief.ended, chief.said  # noqa: PT018
        time.sleep(0.01)
    other.send(signal.SIGKILL)
    assert chief.wait(60) == 1
    for left in Path(tempfile.gettempdir()).glob(f"ssd-process-1-{other.pid}-*"):
        shutil.rmtree(left)
    assert "error: another of the 2 processes of this training has ended" in chief.said
    (folder,) = work.glob("outputs/train/*_shared")  # the other one has none
    assert f"start all of them again with resume={folder.relative_to(work)}" in chief.said

    chief, other = both(work, CONFIG_DIR, f"resume={folder}")
    assert (chief.wait(120), other.wait(60)) == (0, 0), chief.said + other.said
    assert other.said == ""
    assert alone.wait(60) == 0
    (undivided,) = work.glob("outputs/train/*_alone")
    assert list(work.glob("outputs/train/*_shared")) == [folder]
    assert (work / "outputs" / "latest").resolve() in (folder, undivided)
    ours, theirs = (read_results(place / RESULTS) for place in (folder, undivided))
    assert [row["epoch"] for row in ours] == list(range(1, 18))
    for name in ("train/loss", "val/loss"):
        assert ours[-1][name] == pytest.approx(theirs[-1][name], rel=1e-4), name
    assert ours[-1]["val/mAP50"] == pytest.approx(theirs[-1]["val/mAP50"], abs=1e-3)
    weights, expected = (load_detector(place / LAST).get_weights() for place in (folder, undivided))
    for found, wanted in zip(weights, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
    average, wanted = (read_average(place / LAST) for place in (folder, undivided))
    assert average is not None
    assert wanted is not None
    np.testing.assert_allclose(average, wanted, rtol=1e-5, atol=1e-5)
