"""The files of a sweep and of its jobs, damaged: one sentence names them, or the job goes on and makes them again."""

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from helpers.damage import DAMAGES, a_folder, cut_short, files_in, garbage, latin_1, missing, other_kind
from helpers.sweep_jobs import write_job
from ssd.errors import UserError
from ssd.runs.folder import (
    CONFIG,
    DONE_FILE,
    FAILURE_FILE,
    HYDRA,
    METRICS,
    OVERRIDES,
    PRUNED_FILE,
    RESULTS,
    RUN_ID_FILE,
    STUDY_FILE,
    SWEEP_FILE,
)
from ssd.sweep.launch.resume import StoredSweep, run_unless_done
from ssd.sweep.report.jobs import job_folders, read_job, read_jobs
from ssd.sweep.search.study import storage_at


@pytest.fixture
def sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep of one job that is done."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "s"
    StoredSweep(folder, ["seed=1"], ["seed=1"], [["seed=1"]], str(tmp_path), None, None).write()
    job = write_job(folder, 3, ["seed=1"], 0.5, run_id="0123456789abcdef" * 2)
    (job / CONFIG).write_text("seed: 1\ntraining:\n  best_by: val/mAP50\n")
    (job / DONE_FILE).write_text("0.5\n")
    return folder


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_how_a_sweep_was_started_cannot_be_made_again(damage: Callable, sweep: Path) -> None:
    assert StoredSweep.read(Path("s")).jobs == [["seed=1"]]
    damage(sweep / SWEEP_FILE)
    before = files_in(sweep)
    reason = {cut_short: "it is not JSON: ", other_kind: "it holds a int"}.get(damage, DAMAGES[damage])
    if damage is missing:
        said = r"sweep\.resume=s is not the folder of a sweep: it has no sweep\.json"
    else:
        said = rf"^s/sweep\.json cannot be read \({reason}.*\); put the file back, or go on with each job by itself: "
    with pytest.raises(UserError, match=said):
        StoredSweep.read(Path("s"))
    assert files_in(sweep) == before


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"jobs"', '"yobs"', "it has no jobs"),
        ('"called_from"', '"new": 1, "called_from"', "it has the unknown key 'new'"),
        ('"config_dir": null', '"config_dir": 3', "its config_dir is 3"),
        ('"seed=1"', "1", r"its command is \[1\]"),
    ],
)
def test_a_sweep_of_other_kinds_is_refused(sweep: Path, old: str, new: str, reason: str) -> None:
    file = sweep / SWEEP_FILE
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(UserError, match=rf"sweep\.json cannot be read \({reason}\); "):
        StoredSweep.read(Path("s"))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("file", [DONE_FILE, METRICS])
def test_a_job_whose_results_are_damaged_goes_on(
    file: Path, damage: Callable, sweep: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg: Any = SimpleNamespace(task=SimpleNamespace(name="train"), resume=None)
    done: list[Path] = []

    def run(cfg: Any, folder: Path) -> float:
        done.append(folder)
        (folder / METRICS).write_text('{"mAP50": 0.25}\n')
        return 0.25

    (job,) = job_folders(sweep)
    assert (run_unless_done(cfg, job, True, run), done) == (0.5, [])
    damage(job / file)
    if damage is a_folder:
        with pytest.raises(OSError, match=str(file)):
            run_unless_done(cfg, job, True, run)
        return
    if (file, damage) == (DONE_FILE, other_kind):  # a number all the same
        assert run_unless_done(cfg, job, True, run) == 5.0
        return
    assert run_unless_done(cfg, job, True, run) == 0.25
    assert (done, cfg.resume, (job / DONE_FILE).read_text()) == ([job], str(job), "0.25\n")
    silent = (file, damage) == (DONE_FILE, missing)  # a job that was stopped
    assert [str(file) in line and "makes it again" in line for line in caplog.messages] == ([] if silent else [True])


# file → what a report says of its job where it is damaged: its status, and whether the reason names the file
REPORTED = {
    HYDRA: "failed",
    OVERRIDES: "done",
    CONFIG: "failed",
    METRICS: "failed",
    RESULTS: "done",
    RUN_ID_FILE: "done",
    DONE_FILE: "done",
    FAILURE_FILE: "failed",
    PRUNED_FILE: "pruned",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("file", REPORTED, ids=str)
def test_a_report_names_what_is_damaged_in_its_job(
    file: Path, damage: Callable, sweep: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (job,) = job_folders(sweep)
    if file in (FAILURE_FILE, PRUNED_FILE):
        (job / file).write_text("after epoch 3: it was the worst\n")
    damage(job / file)
    before = files_in(sweep)
    (found,) = read_jobs(sweep)
    expected = REPORTED[file]
    if damage is missing:
        expected = {METRICS: "missing", CONFIG: "done", FAILURE_FILE: "done", PRUNED_FILE: "done"}.get(file, expected)
    if file == OVERRIDES:  # which this job's hydra.yaml does not repeat
        expected = "failed"
    assert (found.status, found.job) == (expected, 3)
    if found.status == "failed" and file != FAILURE_FILE:
        assert re.search(rf"{file.name} cannot be read \(", found.reason)
        assert "\n" not in found.reason
    if file in (RESULTS, RUN_ID_FILE) and damage is not missing:
        assert [file.name in line for line in caplog.messages] == [True]
    assert files_in(sweep) == before


def test_a_job_that_lost_its_command_is_in_the_report_all_the_same(sweep: Path) -> None:
    (job,) = job_folders(sweep)
    missing(job / HYDRA)
    missing(job / OVERRIDES)
    (job / ".hydra").rmdir()
    assert "hydra.yaml cannot be read (it is missing)" in read_job(job_folders(sweep)[0]).reason


@pytest.mark.parametrize("damage", [garbage, latin_1, a_folder])
def test_a_study_that_is_damaged_is_named(tmp_path: Path, damage: Callable) -> None:
    from optuna.storages import RDBStorage

    file = tmp_path / STUDY_FILE
    file.touch()
    damage(file)
    url = f"sqlite:///{file}"
    with (
        pytest.raises(UserError, match=r"study\.db cannot be used \(.*\); free its disk, or move it away"),
        storage_at(url),
    ):
        RDBStorage(url)
