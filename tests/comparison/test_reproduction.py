"""Whether a training that was done again came to the same: numbers, weights, and what could explain a difference."""

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ssd.comparison.reproduction import Reproduction, reproduction, write_reproduction
from ssd.runs.files import write_json
from ssd.runs.results import write_results

SECTIONS = {name: {"a": 1} for name in ("backbone", "detector", "dataset", "optimizer", "tracking")}


def run(
    folder: Path, loss: float = 3.0, weights: bytes = b"w", minutes: float | None = None, digest: str = "d"
) -> Path:
    """A training of two epochs."""
    (folder / "checkpoints").mkdir(parents=True)
    for name in ("best", "last"):
        (folder / "checkpoints" / f"{name}.keras").write_bytes(weights)
    rows = [{"epoch": 1, "train/loss": 4.0, "minutes": len(folder.name)}, {"epoch": 2, "train/loss": loss}]
    write_results(folder / "results.csv", rows)
    settings = {"training": {"minutes": minutes}, "task": {"name": "train"}, "name": "x"}
    OmegaConf.save({**SECTIONS, **settings}, folder / "config.yaml")
    data = {"val": {"digest": digest}}
    write_json(folder / "record.json", {"code": {"digest": "c"}, "versions": {"keras": "3"}, "data": data})
    return folder


def again(source: Path, other: Path) -> Reproduction:
    return reproduction(source, other, source, lambda file: file.read_text())


def test_what_is_the_same_is_reproduced_whatever_the_clock_says(tmp_path: Path) -> None:
    found = again(run(tmp_path / "one"), run(tmp_path / "another"))
    assert found.same
    assert found.verdict == (
        "reproduced: all numbers of 2 epochs are the same, and the weights of best.keras and last.keras, bit for bit"
    )
    assert found.lines["data, val"] == "the same"


def test_what_differs_is_named_with_what_could_explain_it(tmp_path: Path) -> None:
    source, other = run(tmp_path / "a", minutes=1.0), run(tmp_path / "b", 3.5, b"x", minutes=1.0, digest="e")
    found = again(source, other)
    assert not found.same
    assert found.verdict == (
        "not reproduced: 1 numbers of results.csv differ, the first in epoch 2: train/loss 3 → 3.5; best.keras has "
        "other weights; last.keras has other weights (what else differs: data, the clock ended it)"
    )
    write_reproduction(found, other)
    text = (other / "reproduction.md").read_text()
    assert "| 2 | train/loss | 3 | 3.5 |" in text
    assert json.loads((other / "reproduction.json").read_text())["same"] is False


@pytest.mark.parametrize("name", ["record.json", "checkpoints/best.keras"])
def test_what_is_not_there_any_more_is_said(tmp_path: Path, name: str) -> None:
    source = run(tmp_path / "a")
    (source / name).unlink()
    found = again(source, run(tmp_path / "b"))
    assert found.same
    told = found.lines["code"] if name == "record.json" else found.lines["weights, best.keras"]
    assert told.startswith("not known" if name == "record.json" else "not there any more")
