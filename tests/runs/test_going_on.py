"""What a continued training finds, may change, and leaves in its folder."""

import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from helpers.fake_checkpoint import write_detector
from ssd.errors import UserError
from ssd.runs.folder import BEST, CONFIG, HYDRA, LAST, RESULTS
from ssd.runs.going_on import check_can_go_on, check_same_experiment
from ssd.runs.lock import locked
from ssd.runs.results import write_results

BEFORE: dict[str, dict[str, Any]] = {
    "training": {"epochs": 3, "batch_size": 8, "patience": None},
    "optimizer": {"learning_rate": 1e-3},
    "detector": {"scales": [0.1, 0.2]},
    "dataset": {"path": "my cells"},
    "tracking": {"uri": "sqlite:///a.db"},
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / HYDRA).parent.mkdir()
    (tmp_path / HYDRA).write_text(f"hydra: {{runtime: {{cwd: {tmp_path}}}}}\n")
    OmegaConf.save(OmegaConf.create(BEFORE), tmp_path / CONFIG)
    return tmp_path


def changed(**sections: dict) -> dict:
    return {"allow_changes": False} | {name: {**values, **sections.get(name, {})} for name, values in BEFORE.items()}


def test_length_and_tracking_may_change_and_a_path_may_have_become_absolute(run: Path) -> None:
    now = changed(
        training={"epochs": 9, "patience": 3}, tracking={"uri": "http://x"}, dataset={"path": str(run / "my cells")}
    )
    check_same_experiment(run, "outputs/run", now)


def test_another_experiment_is_refused_with_what_differs_unless_asked_for(run: Path) -> None:
    now = changed(training={"batch_size": 4}, optimizer={"learning_rate": 0.1}, dataset={"path": "others"})
    with pytest.raises(UserError) as told:
        check_same_experiment(run, "outputs/run", now)
    assert str(told.value) == (
        "resume=outputs/run would go on as another experiment (training.batch_size 8 → 4, optimizer.learning_rate "
        "0.001 → 0.1, dataset.path my cells → others); leave that out, start a new training with "
        "checkpoint=outputs/run, or ask for it with allow_changes=true"
    )
    check_same_experiment(run, "outputs/run", now | {"allow_changes": True})


def test_results_without_a_checkpoint_are_not_written_over(tmp_path: Path) -> None:
    check_can_go_on(tmp_path, "run")  # nothing is there yet: it begins anew
    write_results(tmp_path / RESULTS, [{"epoch": 1, "train/loss": 2.0}])
    check_can_go_on(tmp_path, "run")  # killed at its first checkpoint
    write_results(tmp_path / RESULTS, [{"epoch": 1, "train/loss": 2.0, "val/loss": 2.0}])
    with pytest.raises(UserError, match=r"has results, but no checkpoints/last\.keras .* put that file back$"):
        check_can_go_on(tmp_path, "run")
    write_detector(tmp_path / BEST)
    with pytest.raises(UserError, match=r"from the best one \(from=best\), or start a new .* \(checkpoint=run\)$"):
        check_can_go_on(tmp_path, "run")
    write_detector(tmp_path / LAST)
    check_can_go_on(tmp_path, "run")


def test_the_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    told = pytest.raises(UserError, match=rf"in use by process {os.getpid()} on \S+; stop that first")
    with locked(tmp_path), told, locked(tmp_path):
        pass
    with locked(tmp_path):
        pass
