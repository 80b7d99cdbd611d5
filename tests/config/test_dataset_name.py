"""Data sets in files are called after their folder."""

from pathlib import Path

import pytest

from ssd.cli.compose import compose_jobs
from ssd.config.dataset_name import folder_name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/you/bccd", "bccd"),
        ("/home/you/bccd/", "bccd"),
        ("/home/you/cells/data/images", "cells"),
        ("/home/you/cells/VOC2007", "cells-VOC2007"),
        ("/home/you/red cells", "red-cells"),
        ("/home/you/coco/annotations/instances_val2017.json", "coco"),
        ("/home/you/red cells.v2.tar.gz", "red-cells.v2"),
        ("/home/you/cells.ZIP", "cells"),
        ("/home/you/cells/data.yaml", "cells"),
        ("/data", "data"),
        ("/", "data"),
    ],
)
def test_names(path: str, name: str) -> None:
    assert folder_name(path) == name


def test_a_relative_path_is_of_the_folder_one_calls_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cells").mkdir()
    monkeypatch.chdir(tmp_path / "cells")
    assert folder_name(".") == "cells"
    assert folder_name("~/bccd") == "bccd"


def test_a_run_is_called_after_its_data() -> None:
    (job,) = compose_jobs(["dataset=voc_folder", "dataset.path=/nowhere/bccd"], multirun=False)
    assert job.name == "mobilenet_v2_ssd300_bccd"
    (job,) = compose_jobs(["dataset=voc_folder", "dataset.path=/nowhere/bccd", "dataset.name=mine"], multirun=False)
    assert job.name == "mobilenet_v2_ssd300_mine"
    files = [f"dataset.{part}_{kind}=/nowhere/cards/{kind}" for part in ("train", "val") for kind in ("images",)]
    files += ["dataset.train_annotations=/nowhere/cards/a.json", "dataset.val_annotations=/nowhere/cards/b.json"]
    (job,) = compose_jobs(["dataset=coco_json", *files], multirun=False)
    assert job.dataset.name == "cards"


@pytest.mark.parametrize(
    ("option", "key"), [("folder", "path"), ("voc_folder", "path"), ("coco_json", "train_annotations")]
)
def test_without_a_path_it_is_the_path_that_is_asked_for(
    option: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from ssd.cli.main import main

    assert main([f"dataset={option}"]) == 2
    assert f"error: dataset.{key} has no value; give dataset.{key}=..." in capsys.readouterr().err
