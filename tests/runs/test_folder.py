"""The files of a run folder: round trips, what a resumed run drops, what a stopped one leaves."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from ssd.runs.files import write_json
from ssd.runs.folder import point_latest
from ssd.runs.markdown import markdown_table
from ssd.runs.results import read_results, write_results


def test_results_round_trip_with_empty_fields(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    first = {"epoch": 1, "step": 125, "minutes": 0.5, "train/loss": 3.25, "lr": 1e-3}
    write_results(path, [first, {"epoch": 2, "step": 250, "train/loss": 2.123456789, "val/mAP50": 0.0, "lr": 0.0005}])
    lines = path.read_text().splitlines()
    assert lines[0].startswith("epoch,step,minutes,lr,train/loss,")
    assert lines[1].startswith("1,125,0.5,0.001,3.25,")
    assert read_results(path) == [
        {"epoch": 1, "step": 125, "minutes": 0.5, "train/loss": 3.25, "lr": 1e-3},
        {"epoch": 2, "step": 250, "train/loss": 2.12346, "val/mAP50": 0.0, "lr": 0.0005},
    ]


def test_results_of_a_run_that_has_none(tmp_path: Path) -> None:
    assert read_results(tmp_path / "results.csv") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("row", [{"epoch": 1, "val/accuracy": 0.5}, {"train/loss": 0.5}])
def test_a_row_outside_of_the_columns_is_refused(tmp_path: Path, row: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="needs epoch and only"):
        write_results(tmp_path / "results.csv", [row])


def test_diverged_losses_survive(tmp_path: Path) -> None:
    write_results(tmp_path / "results.csv", [{"epoch": 1, "train/loss": float("nan"), "val/loss": float("inf")}])
    (row,) = read_results(tmp_path / "results.csv")
    assert np.isnan(row["train/loss"])
    assert row["val/loss"] == float("inf")


def test_json_is_valid_for_every_reader(tmp_path: Path) -> None:
    values = {"mAP50": np.float32(0.5), "bad": float("nan"), "objects": np.int64(3), "rows": [{"AP": np.array([1, 2])}]}
    write_json(tmp_path / "metrics.json", {**values, "path": Path("a/b"), "name": "Größe"})

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"), parse_constant=refuse) == {
        "mAP50": 0.5,
        "bad": None,
        "objects": 3,
        "rows": [{"AP": [1, 2]}],
        "path": "a/b",
        "name": "Größe",
    }


def test_a_failed_write_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(tmp_path / "metrics.json", {"mAP50": 0.5})

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_json(tmp_path / "metrics.json", {"mAP50": 0.9})
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.json"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == {"mAP50": 0.5}


def test_markdown_tables_escape_and_round() -> None:
    table = markdown_table([{"class": "a|b\nc", "AP": 0.12345, "objects": 7}, {"class": "d", "AP": float("nan")}])
    assert table.splitlines() == [
        "| class | AP | objects |",
        "| --- | ---: | ---: |",
        "| a\\|b c | 0.123 | 7 |",
        "| d |  |  |",
    ]


def test_a_link_to_the_latest_run_replaces_a_dangling_one_and_no_folder(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    link, run = tmp_path / "outputs" / "latest", tmp_path / "run"
    run.mkdir()
    link.parent.mkdir()
    link.symlink_to("gone")
    point_latest(link, run)
    assert (link.resolve(), caplog.messages) == (run, [])
    link.unlink()
    link.mkdir()
    (link / "mine.txt").touch()
    point_latest(link, run)
    assert [path.name for path in link.parent.iterdir()] == ["latest"]
    assert (link / "mine.txt").exists()
    assert len(caplog.messages) == 1
    assert "latest was not updated: " in caplog.messages[0]
