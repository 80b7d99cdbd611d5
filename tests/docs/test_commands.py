"""Every command of README and docs is right: single runs up to their task, sweeps up to their first job.

Of a grid, jobs are composed until each value has been in one; test_shipped_sweeps.py has all jobs of some.
"""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import DictConfig

from helpers.fake_checkpoint import write_detector
from helpers.fake_voc import encoded_image, item, write_voc
from helpers.markdown import Block, blocks
from ssd.cli.command_line import parse
from ssd.cli.main import main
from ssd.cli.plan import make_plan
from ssd.runs.folder import BEST, LAST, METRICS, point_latest

pytestmark = pytest.mark.usefixtures("logging_as_before")

COMMANDS = {
    tuple(command): f"{block.page}: {' '.join(command)}"
    for block in blocks("sh")  # one that several pages have is run once
    if not block.untested and block.page != "docs/extending.md"  # which test_extending runs
    for command in block.commands
}
split_arguments = BasicSweeper.split_arguments


def with_each_value(*arguments: Any) -> list[list[list[str]]]:
    """The first jobs of a grid that bring a value that none had before."""
    seen: set[str] = set()
    kept = []
    for job in split_arguments(*arguments)[0]:
        if not seen.issuperset(job):
            kept.append(job)
            seen.update(job)
    return [kept]


def run(cfg: DictConfig, folder: Path) -> float:
    """Stands for a task."""
    if cfg.task.name == "train":
        for checkpoint in (BEST, LAST):
            write_detector(folder / checkpoint)
        exported = folder / "exports" / "openvino_float32" / "detector.xml"
        exported.parent.mkdir(parents=True, exist_ok=True)
        exported.touch()
        point_latest(Path("outputs", "latest"), folder)
        (folder / METRICS).write_text('{"mAP": 0.5}')
    return 0.5


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Path]:
    """A user's folder with all that the pages speak of, at home in itself."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        patch.setattr(sys, "argv", ["run.py"])
        patch.setattr(BasicSweeper, "split_arguments", staticmethod(with_each_value))
        for task in (
            "train",
            "lr_find",
            "evaluate",
            "predict",
            "export",
            "benchmark",
            "compare",
            "convert",
            "inspect",
            "report",
            "reproduce",
            "serve",
            "ui",
        ):
            module = ModuleType(f"ssd.tasks.{task}")
            module.run = run  # type: ignore[attr-defined]
            patch.setitem(sys.modules, module.__name__, module)
        weights = {"head.classification_head.module_list.0.weight": np.zeros(1)}
        parts = ("0.0", "0.1", "1")
        lite = {f"head.classification_head.module_list.0.{part}.weight": np.zeros(1) for part in parts}
        patch.setattr("ssd.weights.reader.fetch", lambda project, name: folder / f"{name}_coco-a79551df.pth")
        patch.setattr("ssd.weights.reader.read_pth", lambda file: lite if "lite" in file.name else weights)
        shutil.copy(empty_store, folder / "mlflow.db")
        write_voc(folder / "cells", {name: [item("cell", 2, 2, 20, 20)] for name in "abcd"})
        shutil.make_archive(str(folder / "Downloads" / "cells.v2"), "zip", folder / "cells")
        (folder / "photo.jpg").write_bytes(encoded_image(40, 50))
        (folder / "photos").mkdir()
        (folder / "photos" / "a.jpg").write_bytes(encoded_image(40, 50))
        (folder / "clip.mp4").touch()
        (folder / "vgg16.weights.h5").touch()
        for file in ("ssd300_vgg16_coco-b556d3b4.pth", "ssdlite320_mobilenet_v3_large_coco-a79551df.pth"):
            (folder / file).touch()
        assert main(["-m", "seed=1,2", "tracking.enabled=false"]) == 0
        assert main(["tracking.enabled=false"]) == 0
        for name in ("RUN_A", "RUN_B", "A1", "A2", "B1", "B2"):
            shutil.copytree(Path("outputs", "latest").resolve(), Path("outputs", "train", name))
        yield folder


@pytest.mark.parametrize("command", COMMANDS, ids=COMMANDS.values())
def test_command(command: tuple[str, ...]) -> None:
    assert command[:2] == ("python", "run.py"), "say why no test runs it, in a comment before its block"
    given = list(command[2:])
    if "-m" in given:
        plan = make_plan(parse(given))
        assert plan.sweep is not None
        assert plan.sweep.jobs
    else:
        assert main(given) == 0


def test_what_is_not_run_says_why() -> None:
    untested: list[Block] = [block for block in blocks("sh") if block.untested]
    assert untested
    assert all(len(block.untested) > 15 for block in untested)
