"""Priors in the inspection's report."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.tiny import TINY
from ssd.cli.main import main
from ssd.data.sample import Dataset
from ssd.inspection.priors import PriorCheck, _rows, prior_section, priors_as_json, unreached
from ssd.models.prior_fit import PriorFit
from ssd.models.prior_reach import Reach
from ssd.models.priors import PriorLevel

# Squares of 0.2 and 0.283 in 4 x 4 cells, of 0.4 and 0.566 in 2 x 2.
LEVELS = (PriorLevel(4, 0.25, 0.2, 0.4, ()), PriorLevel(2, 0.5, 0.4, 0.8, ()))
BOXES = np.array(
    [
        [0.275, 0.275, 0.475, 0.475],  # a prior of the first level
        [0.05, 0.05, 0.45, 0.45],  # of the second
        [0.36, 0.36, 0.38, 0.38],  # 4 pixels of 200: none
        [0.1, 0.1, 0.13, 0.6],  # thin: none
    ],
    np.float32,
)
LABELS = np.array([0, 0, 1, 1], np.int32)


TRAIN = Dataset("cells:train", ("x", "y"), [], lambda _: b"")


def check(**changes):
    arguments = {"detector": "ssd200", "image_size": 200, "levels": LEVELS, "clip": False, "match_iou": 0.5}
    return PriorCheck(**{**arguments, "boxes": BOXES, "labels": LABELS, "fit": None, **changes})


def test_shares_by_level_and_size():
    first, second, both = _rows(check())
    # sides at 200 pixels: 40, 80, 4 and 24.5; the square of 0.4 overlaps neither of the others by half
    assert [row["small (2)"] for row in (first, second, both)] == ["0.0%", "0.0%", "0.0%"]
    assert [row["medium (2)"] for row in (first, second, both)] == ["50.0%", "50.0%", "100.0%"]
    assert [row["all (4)"] for row in (first, second, both)] == ["25.0%", "25.0%", "50.0%"]
    assert first["priors of a cell, height x width"] == "40x40, 57x57"
    assert (first["cells"], first["distance"], both["level"]) == ("4x4", "50", "any")


def test_many_unreached_objects_are_a_finding():
    (found,) = unreached(check(), TRAIN)
    assert found.text == (
        "2 of 4 objects of cells:train (50%) overlap no prior of ssd200 at 200 pixels by 0.5 or more; of the small "
        "ones 100%."
    )
    assert "detector.priors=auto" in found.of.advice
    assert unreached(check(boxes=BOXES[:2], labels=LABELS[:2]), TRAIN) == []


def test_section_and_json_say_the_same(tmp_path):
    fit = PriorFit((0.1, 0.4, 0.8), ((1.5,), ()), Reach(0.5, 0.5, 0.4), Reach(0.75, 0.7, 0.6), 40)
    (tmp_path / "plots").mkdir()
    text = "\n".join(prior_section(check(fit=fit), tmp_path))
    assert "2 objects (50.0%) are reached by no prior" in text
    assert "75.0% instead of 50.0%" in text
    assert "`detector.scales=[0.1, 0.4, 0.8]` `detector.aspect_ratios=[[1.5], []]`" in text
    assert (tmp_path / "plots" / "prior_shapes.png").stat().st_size > 10_000
    numbers = json.loads(json.dumps(priors_as_json(check(fit=fit))))
    assert numbers["recall"] == 0.5
    assert numbers["by_size"]["medium"] == {"objects": 2, "recall": 1.0}
    assert [level["recall"] for level in numbers["by_level"]] == [0.25, 0.25]
    assert numbers["auto"]["scales"] == [0.1, 0.4, 0.8]


@pytest.mark.usefixtures("own_process_state")
def test_priors_of_a_detector_that_cannot_be_built_are_left_out_and_said(capsys: pytest.CaptureFixture[str]) -> None:
    command = [*(arg for arg in TINY if not arg.startswith("task.")), "task=inspect", "tracking.enabled=false"]
    assert main([*command, "detector.scales=[0.2, 0.5]"]) == 0
    folder = next(Path("outputs", "inspect").iterdir())
    assert "## Priors" in (folder / "report.md").read_text()
    assert "Left out: detector.scales has 2 entries" in (folder / "report.md").read_text()
    assert "priors" not in json.loads((folder / "findings.json").read_text())
    assert "priors are left out of the report: detector.scales" in capsys.readouterr().out
    assert main(command) == 0
    (second,) = [other for other in Path("outputs", "inspect").iterdir() if other != folder]
    assert "`detector.priors=auto` would reach" in (second / "report.md").read_text()
    assert json.loads((second / "findings.json").read_text())["priors"]["objects"] > 20
