"""Mistakes in files are said when the plan is made: before a folder exists and before TensorFlow is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.fake_voc import item, write_voc
from ssd.cli.command_line import parse
from ssd.cli.plan import make_plan
from ssd.environment import ROOT
from ssd.errors import UserError

VOC = ["dataset=voc_folder", "backbone.weights=null"]
IMAGES = {name: [item("cat", 2, 2, 20, 20)] for name in ("a", "b", "c", "d")}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cells(here: Path) -> Path:
    return write_voc(here / "my cells (1)", IMAGES, {"trainval": ["a", "b"], "test": ["c", "d"]})


def refused(*arguments: str) -> str:
    with pytest.raises(UserError) as told:
        make_plan(parse(arguments))
    return str(told.value)


def test_a_good_folder_is_read_once_and_its_reader_heard_in_the_run(cells: Path, caplog) -> None:
    from ssd.cli.compose import compose_jobs
    from ssd.experiment.splits import build_splits

    (cells / "Annotations" / "a.xml").write_text((cells / "Annotations" / "a.xml").read_text().replace(">40<", ">41<"))
    command = [*VOC, f"dataset.path={cells}"]
    make_plan(parse(command))
    assert not caplog.records
    (cells / "Annotations" / "a.xml").unlink()  # so what follows is what was read
    (job,) = compose_jobs(parse(command).overrides, multirun=False)
    assert len(build_splits(job).train) == 2
    assert "state another size than their image has" in caplog.text


def test_mistakes_in_a_data_set(cells: Path) -> None:
    path = f"dataset.path={cells}"
    assert "dataset.train=trian is not a split" in refused(*VOC, path, "dataset.train=trian")
    (cells / "Annotations" / "b.xml").write_text("<annotation")
    assert "b.xml is not readable XML" in refused(*VOC, path)
    (cells / "Annotations" / "b.xml").unlink()
    assert "b.xml does not exist" in refused(*VOC, path)
    assert "has no folder Annotations" in refused(*VOC, f"dataset.path={cells / 'JPEGImages'}")


def test_mistakes_in_a_sweep_are_said_before_its_first_job(cells: Path) -> None:
    (cells / "Annotations" / "d.xml").unlink()
    assert "d.xml does not exist" in refused("-m", *VOC, f"dataset.path={cells}", "seed=1,2")


def test_mistakes_in_a_source_and_a_checkpoint(here: Path) -> None:
    (here / "empty").mkdir()
    (here / "a.keras").write_bytes(b"no archive")
    assert "a.keras cannot be read as a checkpoint" in refused("task=predict", "checkpoint=a.keras", "source=empty")
    assert "neither a .keras file nor a run folder" in refused("task=evaluate", "checkpoint=nothing")
    assert "empty has no checkpoint" in refused("task=predict", "checkpoint=empty", "source=empty")


def test_a_mistake_costs_no_import_of_tensorflow(cells: Path) -> None:
    (cells / "Annotations" / "d.xml").unlink()
    script = (
        "import sys; from ssd.cli.main import main; status = main(sys.argv[1:]); "
        "sys.exit(status if 'tensorflow' not in sys.modules and 'keras' not in sys.modules else 99)"
    )
    command = [sys.executable, "-c", script, *VOC, f"dataset.path={cells}"]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: The annotation ")
    assert not Path("outputs").exists()
