"""A process of a training that is not its chief."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from ssd.cli.other_member import aside, check_is_one_training
from ssd.cluster import LONE, Member
from ssd.config.overrides import by_key
from ssd.errors import UserError


def test_it_works_in_a_copy_of_the_run_without_mlflow_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results.csv").write_text("epoch\n1\n")
    with ExitStack() as held:
        given = [f"resume={tmp_path}", f"hydra.run.dir={tmp_path}", "tracking.enabled=true", "seed=1"]
        overrides = by_key(aside(given, Member(1, 2), held))
        folder = Path(str(overrides["hydra.run.dir"].value()))
        assert (folder / "results.csv").read_text() == "epoch\n1\n"
        assert folder != tmp_path
        assert (overrides["tracking.enabled"].value(), overrides["seed"].value()) == (False, 1)
        print("what only the chief says")
    assert not folder.exists()
    assert capsys.readouterr().out == ""


def test_its_folder_stays_where_it_fails() -> None:
    with pytest.raises(ValueError), ExitStack() as held:  # noqa: PT011, PT012
        folder = Path(str(by_key(aside([], Member(1, 2), held))["hydra.run.dir"].value()))
        raise ValueError
    assert folder.is_dir()
    os.rmdir(folder)


def test_a_sweep_is_refused_in_processes_that_train_together() -> None:
    check_is_one_training(True, LONE)
    check_is_one_training(False, Member(1, 2))
    with pytest.raises(UserError, match="-m runs several trainings, and this is one of 2 processes"):
        check_is_one_training(True, Member(0, 2))
