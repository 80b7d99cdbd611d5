"""Trainings that are killed, at 20 seeded moments, end as one that nothing disturbed; benchmarks/kills.py does more."""

import shutil
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from helpers.kills import VARIANTS, Killed, Moment, differences

KILLS = 20
VARIANT = [*VARIANTS["adam, averaged"], "training.epochs=7", "training.evaluate_every=3"]  # time for most of them


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Path:
    """The folder that all are called from."""
    folder = tmp_path_factory.mktemp("place")
    shutil.copy(empty_store, folder / "mlflow.db")
    return folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> tuple[dict[str, Any], float]:
    """What it leaves, and how many seconds it lasts."""
    training = Killed(place, "undisturbed", VARIANT, "helpers.eager")
    lasts = training.timed()
    return training.leaves(), lasts


def test_killed_trainings_end_as_an_undisturbed_one(place: Path, undisturbed: tuple[dict[str, Any], float]) -> None:
    theirs, lasts = undisturbed
    random, kills = Random(1), 0
    for number in range(KILLS):
        training = Killed(place, f"killed_{number}", VARIANT, "helpers.eager")
        while kills < KILLS and training.kill(Moment.draw(random, lasts)):
            kills += 1
        if kills == KILLS:
            training.run()
        assert differences(training.leaves(), theirs) == []
        if kills == KILLS:
            return
    pytest.fail(f"only {kills} were killed before they were through")


def test_what_differs_is_found(undisturbed: tuple[dict[str, Any], float]) -> None:
    theirs, _ = undisturbed
    name = "last.keras: optimizer/vars/2"
    last_bit = np.nextafter(theirs[name], np.float32(np.inf))
    found = differences({**theirs, name: last_bit, "left over": [".a.1.part"]}, theirs)
    assert [line.split(" is ")[0] for line in found] == [name, "left over"]
