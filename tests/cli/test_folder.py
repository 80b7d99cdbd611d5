"""A folder through the command line: the split that a run noted, and a data set written in another format."""

import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig

from helpers.fake_checkpoint import write_detector
from helpers.label_files import DRAWN, image, text, yolo
from helpers.layouts import LAYOUTS
from ssd.cli.main import main
from ssd.data.sample import Splits
from ssd.runs.folder import BEST, LAST, SPLIT

pytestmark = pytest.mark.usefixtures("own_process_state")
read: list[Splits] = []


def run(cfg: DictConfig, folder: Path) -> float:
    """Stands for a training or an evaluation: it reads the data."""
    from ssd.experiment.splits import build_splits, record_split

    read.append(build_splits(cfg))
    if cfg.task.name == "train":
        record_split(cfg, folder, read[-1])
        for checkpoint in (BEST, LAST):
            write_detector(folder / checkpoint)
    return 0.5


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    for task in ("train", "evaluate"):
        module = ModuleType(f"ssd.tasks.{task}")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)


def images(splits: Splits) -> tuple[list[str], list[str]]:
    train, val = ([item.id for item in part.annotations] for part in (splits.train, splits.val))
    return train, val


@pytest.mark.usefixtures("tasks")
def test_a_run_goes_on_and_is_judged_with_its_own_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS["yolo with classes.txt"][0](tmp_path / "pets", DRAWN)
    assert main(["dataset=folder", "dataset.path=pets", "hydra.run.dir=run", "tracking.enabled=false"]) == 0
    said = capsys.readouterr().out
    assert "found: YOLO text (classes.txt), 9 images" in said
    assert "splits: train 7 to train on, val 2 to validate on (made: 20%, seed 0, by class)" in said
    assert "classes: cat 9, dog 4" in said
    first = images(read[-1])
    noted = json.loads((tmp_path / "run" / SPLIT).read_text())
    assert (noted["train"], noted["val"]) == first

    for k in range(3):  # more of the same, with which all would be divided anew
        image(tmp_path / "pets" / "images", DRAWN[k], f"{k} more.jpg")
        text(tmp_path / "pets" / "labels" / f"{k} more.txt", yolo(DRAWN[k]))
    assert main(["resume=run", "training.epochs=200"]) == 0
    assert images(read[-1]) == first
    assert "splits: train 7 to train on, val 2 to validate on; not used: others 3" in capsys.readouterr().out
    assert json.loads((tmp_path / "run" / SPLIT).read_text()) == noted
    assert main(["task=evaluate", "checkpoint=run"]) == 0
    assert images(read[-1]) == first
    assert main(["task=evaluate", "checkpoint=run", "dataset.val_fraction=0.5"]) == 0
    assert len(read[-1].val) == 6
    (tmp_path / "run" / SPLIT).write_text("{")
    assert main(["task=evaluate", "checkpoint=run"]) == 2
    assert "split.json are not readable JSON" in capsys.readouterr().err


def test_an_archive_is_written_as_yolo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS["coco of Roboflow"][0](tmp_path / "pets", DRAWN)
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    shutil.rmtree(tmp_path / "pets")
    command = ["task=inspect", "dataset=folder", "dataset.path=pets.zip", "dataset.convert=yolo"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "found: COCO JSON (_annotations.coco.json), 9 images" in said
    assert "written as yolo: dataset=folder dataset.path=pets_yolo" in said
    assert len(list((tmp_path / "pets_yolo" / "labels" / "train").iterdir())) == 6
    assert main(command) == 2
    assert "pets_yolo exists: move it away" in capsys.readouterr().err


def test_a_mistake_in_a_folder_is_said_before_a_run_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pets").mkdir()
    assert main(["dataset=folder", "dataset.path=pets"]) == 2
    assert capsys.readouterr().err == (
        "error: dataset.path=pets holds no annotations that are read here: it is empty; give the folder that holds "
        "images and labels.\n"
    )
    assert not (tmp_path / "outputs").exists()
