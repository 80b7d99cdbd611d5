"""A training that is asked to stop loses nothing: resumed, it has the rows of an undisturbed one."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.tiny import CONFIG_DIR, TINY
from ssd.cli.main import main
from ssd.runs.folder import LAST
from ssd.runs.results import read_results
from ssd.training.meter import LossMeter

COMMAND = [*TINY, "training.ema=0.9", "tracking.enabled=false", "task.pictures=0"]
CLOCK = ("minutes", "train/images_per_second", "train/waiting")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all trainings of this module start from."""
    return tmp_path_factory.mktemp("work")


@pytest.fixture(autouse=True)
def _there(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(work)


def rows(folder: Path) -> list[dict[str, float]]:
    """Of results.csv, without what the clock says."""
    found = read_results(folder / "results.csv")
    return [{key: row[key] for key in row if key not in CLOCK} for row in found]


@pytest.fixture(scope="module")
def undisturbed(work: Path) -> Path:
    """The folder of a training that nothing stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(work)
        assert main([*COMMAND, "name=undisturbed"]) == 0
    (folder,) = work.glob("outputs/train/*_undisturbed")
    return folder


def interrupted(method: Callable[..., Any], call: int) -> Callable[..., Any]:
    """The method, which sends this process a signal at the end of one of its calls."""
    calls = 0

    def calling(*arguments: Any) -> Any:
        nonlocal calls
        found = method(*arguments)
        calls += 1
        if calls == call:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    return calling


def test_terminated_within_an_epoch_nothing_is_lost(
    work: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the second epoch, whose batches come from processes."""
    with monkeypatch.context() as patch:
        patch.setattr(LossMeter, "add", interrupted(LossMeter.add, 5))
        assert main([*COMMAND, "name=terminated", "pipeline.workers=2"]) == 143
    assert "stopping after this step" in capsys.readouterr().err
    (folder,) = work.glob("outputs/train/*_terminated")
    assert [(row["step"], "val/mAP50" in row) for row in rows(folder)] == [(3, True)]
    assert main([CONFIG_DIR, f"resume={folder}"]) == 0
    assert "resuming after 1 epochs and 2 steps" in (folder / "run.log").read_text()
    assert rows(folder) == rows(undisturbed)


def test_without_its_last_checkpoint_a_run_goes_on_from_its_best(
    work: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = work / "robbed"
    shutil.copytree(undisturbed, folder)
    (folder / LAST).unlink()
    assert main([CONFIG_DIR, f"resume={folder}"]) == 2
    assert "go on from the best one (from=best)" in " ".join(capsys.readouterr().err.split())
    best = max(rows(undisturbed), key=lambda row: row.get("val/mAP", -1.0))["epoch"]
    assert main([CONFIG_DIR, f"resume={folder}", "from=best", "training.epochs=3"]) == 0
    assert [row["epoch"] for row in rows(folder)] == [1, 2, 3]
    assert rows(folder)[: int(best)] == rows(undisturbed)[: int(best)]
    assert f"resuming after {best:.0f} epochs and 0 steps" in (folder / "run.log").read_text()
    assert (folder / LAST).is_file()
