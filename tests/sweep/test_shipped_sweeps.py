"""The sweeps that are shipped: what they say, what they vary, and what the command line replaces."""

import re
import shlex
from pathlib import Path

import pytest

from ssd.cli.compose import compose_jobs
from ssd.cli.main import main
from ssd.config.overrides import at_home
from ssd.environment import ROOT
from ssd.errors import UserError

SWEEPS = {file.stem: file.read_text() for file in sorted((ROOT / "sweeps").glob("*.yaml"))}


@pytest.mark.parametrize("sweep", SWEEPS)
def test_a_sweeps_header_says_what_it_answers_and_how_long_it_takes(sweep: str) -> None:
    fields = re.findall(r"^# (\w+): +(\S.*)$", SWEEPS[sweep], re.MULTILINE)
    assert [name for name, _ in fields] == ["Answers", "Command", "Hardware", "Time"]
    commands = [line for line in SWEEPS[sweep].splitlines() if "run.py" in line]
    assert all(f"python run.py -m sweeps={sweep}" in line for line in commands)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["sweeps=backbones"], [(b, s) for b in ("vgg16", "mobilenet_v2", "mobilenet_v3_large") for s in (1, 2, 3)]),
        (["sweeps=backbones", "backbone=vgg16"], [("vgg16", s) for s in (1, 2, 3)]),
        (["sweeps=backbones", "seed=7", "backbone=vgg16,mobilenet_v2"], [("vgg16", 7), ("mobilenet_v2", 7)]),
        (
            ["sweeps=quick", "seed=1,2", "optimizer.learning_rate=1e-2"],
            [("mobilenet_v2_small", 1), ("mobilenet_v2_small", 2)],
        ),
        (["sweeps=optimizer", "optimizer=sgd", "optimizer.learning_rate=1"], [("mobilenet_v2_small", 0)]),
    ],
)
def test_what_a_sweep_varies_may_be_replaced(given: list[str], expected: list[tuple[str, int]]) -> None:
    assert [(job.backbone.name, job.seed) for job in compose_jobs(given, multirun=True)] == expected


def test_sweeps_leave_the_data_set_and_its_recipe_to_the_command_line() -> None:
    for given in (["sweeps=augmentation", "augmentation=flip"], ["sweeps=backbones", "backbone=vgg16"]):
        (cfg,) = compose_jobs([*given, "seed=1", "dataset=voc0712"], multirun=True)
        assert (cfg.training.epochs, cfg.optimizer.momentum, cfg.backbone.weights) == (232, 0.9, "imagenet")


def test_the_page_has_them_all_and_its_commands_are_right() -> None:
    page = (ROOT / "docs" / "sweeps.md").read_text()
    section = page.partition("\n## ")[0]
    commands = [shlex.split(line, comments=True) for line in section.splitlines() if line.startswith("python run.py")]
    grids = [command[3:] for command in commands if command[2] == "-m"]
    jobs = [compose_jobs([at_home(line) for line in grid], multirun=True) for grid in grids]
    assert [len(found) for found in jobs] == [9, 6, 4]
    assert jobs[0][0].dataset.path == str(Path.home() / "cells")
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(SWEEPS)


def test_a_misspelt_key_in_an_own_sweep(tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    text = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      bakbone: vgg16,mobilenet_v2\n"
    (tmp_path / "sweeps" / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match="unknown key 'bakbone'; did you mean 'backbone'"):
        compose_jobs(["sweeps=mine"], multirun=True, config_dir=str(tmp_path))


@pytest.mark.usefixtures("command_line")
def test_one_job_of_a_sweep_is_a_single_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--cfg", "job", "sweeps=quick", "optimizer.learning_rate=0.001"]) == 0
    assert "learning_rate: 0.001" in capsys.readouterr().out
    assert main(["sweeps=quick"]) == 2
    assert "ask for them with -m: python run.py -m sweeps=quick" in capsys.readouterr().err
    assert main(["sweep.register=cells"]) == 2
    assert "give it with -m or with task=report" in capsys.readouterr().err
