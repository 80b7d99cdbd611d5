"""A folder through the whole command: an archive trained on, gone on with and judged with the split that it noted."""

import json
import shutil
from pathlib import Path

import pytest

from helpers.layouts import DRAWN, LAYOUTS, image, text, yolo
from helpers.tiny import TINY
from ssd.cli.main import main
from ssd.runs.results import read_results

SHAPES_ONLY = ("dataset.train_images", "dataset.val_images", "dataset.image_size")
TRAIN = [
    *(line for line in TINY if not line.startswith(SHAPES_ONLY)),
    *("dataset=folder", "training.epochs=1", "training.batch_size=2", "tracking.enabled=false"),
]


@pytest.mark.usefixtures("own_process_state")
def test_train_resume_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS["yolo with classes.txt"][0](tmp_path / "pets", DRAWN)
    assert main([*TRAIN, "dataset.path=pets"]) == 0
    run = (tmp_path / "outputs" / "latest").resolve()
    said = capsys.readouterr().out
    assert "found: YOLO text (classes.txt), 9 images" in said
    assert "splits: train 7 to train on, val 2 to validate on (made: 20%, seed 0, by class)" in said
    assert "classes: cat 9, dog 4" in said
    split = json.loads((run / "split.json").read_text())
    assert (len(split["train"]), len(split["val"])) == (7, 2)

    for k in range(3):  # more of the same, which would be divided anew
        image(tmp_path / "pets" / "images", DRAWN[k], f"{k} more.jpg")
        text(tmp_path / "pets" / "labels" / f"{k} more.txt", yolo(DRAWN[k]))
    assert main([f"resume={run}", "training.epochs=2"]) == 0
    assert "splits: train 7 to train on, val 2 to validate on; not used: others 3" in capsys.readouterr().out
    assert json.loads((run / "split.json").read_text()) == split
    assert [row["epoch"] for row in read_results(run / "results.csv")] == [1, 2]
    assert main(["task=evaluate", f"checkpoint={run}"]) == 0
    assert "val 2 to validate on; not used: others 3" in capsys.readouterr().out
    assert main(["task=evaluate", f"checkpoint={run}", "dataset.val_fraction=0.5"]) == 0
    assert "val 6 to validate on (made: 50%" in capsys.readouterr().out


@pytest.mark.usefixtures("own_process_state")
def test_inspect_converts_an_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    LAYOUTS["coco of Roboflow"][0](tmp_path / "pets", DRAWN)
    shutil.make_archive(str(tmp_path / "pets"), "zip", tmp_path / "pets")
    shutil.rmtree(tmp_path / "pets")
    assert main(["task=inspect", "dataset=folder", "dataset.path=pets.zip", "dataset.convert=yolo"]) == 0
    said = capsys.readouterr().out
    assert "pets:train: 6 images with 9 objects, 0 without any" in said
    assert "written as yolo: dataset=folder dataset.path=pets_yolo" in said
    assert len(list((tmp_path / "pets_yolo" / "labels" / "train").iterdir())) == 6
    assert main(["task=inspect", "dataset=folder", "dataset.path=pets.zip", "dataset.convert=yolo"]) == 2
    assert "pets_yolo exists: move it away" in capsys.readouterr().err
    assert main([*TRAIN, "dataset.path=pets.zip", "dataset.convert=yolo"]) == 2
    assert "dataset.convert is for task=inspect, not for task=train" in capsys.readouterr().err
