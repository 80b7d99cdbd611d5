"""A run folder of a stranger: what its stored command says is taken only where it can do nothing."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from ssd.cli.earlier_run import with_earlier_run
from ssd.cli.replay import check_sweep, replayed
from ssd.errors import UserError
from ssd.sweep.launch.resume import StoredSweep

HARMLESS = [
    "training.epochs=3",
    "name=hydrant",
    "'name=${backbone.name}_mine'",
    "optimizer._target_=keras.optimizers.Lion",
    "dataset._target_=ssd.data.readers.voc_folder.voc_folder",
    "+dataset@dataset.parts.lab=voc_folder",
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
    "name=${oc.${backbone.name}:SECRET}",  # resolvers may have names that are looked up
    r"name=$\{oc.env\:SECRET\}",  # Hydra takes the backslashes away
    "task._target_=ssd.models.checkpoint.os.remove",  # by way of a module of ours
    "optimizer._target_=keras.optimizers.deserialize",
    "optimizer._target_=keras.optimizers.Adam${name}",
    "+backbone@hydra.callbacks.x=vgg16",
    "+dataset@hydra.callbacks.x=voc_folder",
    "+dataset.parts.lab={_target_: os.system}",
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


def test_predicting_needs_the_name_of_it(run_folder, tmp_path):
    given = ["task=predict", "source=x.jpg", f"checkpoint={run_folder}"]
    end = [*given[:2], f"checkpoint='{run_folder}'"]
    assert with_earlier_run(given, multirun=False) == ["name='run'", *end]
    OmegaConf.save(OmegaConf.create({"backbone": {}, "name": "blood ${oc.env:SECRET}"}), run_folder / "config.yaml")
    assert with_earlier_run(given, multirun=False) == ["name='blood-oc.env-SECRET'", *end]
    alone = tmp_path / "blood cells.keras"
    alone.write_bytes(b"")
    lines = with_earlier_run(["task=predict", f"checkpoint={alone}"], multirun=False)
    assert lines == ["name='blood-cells'", "task=predict", f"checkpoint='{alone}'"]


@pytest.mark.parametrize("words", [["task=evaluate", "checkpoint"], ["resume"]])
def test_own_yaml_is_asked_for_again(run_folder, words):
    sources = [{"path": "/my yaml", "provider": "command-line"}, {"path": "conf", "provider": "main"}]
    node = {"hydra": {"runtime": {"cwd": "/", "config_sources": sources}}}
    OmegaConf.save(OmegaConf.create(node), run_folder / ".hydra" / "hydra.yaml")
    with pytest.raises(UserError, match=r"started with --config-dir=/my yaml, .* put it back, and give it again"):
        with_earlier_run([*words[:-1], f"{words[-1]}={run_folder}"], multirun=False)


def test_the_network_of_a_stranger_resolves_nothing(run_folder, monkeypatch, capsys):
    monkeypatch.setenv("SECRET", "1234")
    config = {"backbone": {"feature_layers": ["${oc.env:SECRET}"]}, "detector": {"name": "${oc.env:SECRET}"}}
    OmegaConf.save(OmegaConf.create(config), run_folder / "config.yaml")
    node = {"hydra": {"runtime": {"cwd": "/", "choices": {"backbone": "vgg16", "detector": "ssd300"}}}}
    OmegaConf.save(OmegaConf.create(node), run_folder / ".hydra" / "hydra.yaml")
    lines = with_earlier_run([f"checkpoint={run_folder}"], multirun=False)
    assert lines == ["backbone=vgg16", "detector=ssd300", f"checkpoint='{run_folder}'"]
    assert "1234" not in capsys.readouterr().out


def test_a_resume_asks_no_resolver_for_the_store(run_folder, monkeypatch):
    monkeypatch.setenv("SECRET", "1234")
    uri = {"tracking": {"uri": "http://host/${oc.env:SECRET}"}, "training": {"best_by": "val/mAP"}}
    (run_folder / "checkpoints" / "best.keras").unlink()
    OmegaConf.save(OmegaConf.create(uri), run_folder / "config.yaml")
    assert not [line for line in with_earlier_run([f"resume={run_folder}"], multirun=False) if "tracking.uri" in line]


def test_links_out_of_a_run_are_not_written_through(run_folder, tmp_path):
    (tmp_path / "mine").mkdir()
    (run_folder / "plots").symlink_to(tmp_path / "mine")
    with pytest.raises(UserError, match=r"plots is a link to .*mine, out of that folder"):
        with_earlier_run([f"resume={run_folder}"], multirun=False)


def sweep(*overrides: str, config_name: str | None = None, config_dir: str | None = None) -> StoredSweep:
    return StoredSweep(Path("sweep"), [], list(overrides), [], "/", config_name, config_dir)


@pytest.mark.parametrize(
    "line",
    [
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=4",
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.params.optimizer.learning_rate=tag(log, interval(1e-4, 1e-1))",
        "hydra.sweeper.sampler._target_=optuna.samplers.CmaEsSampler",
        "seed=1,2",
        "hydra.sweep.dir='elsewhere'",  # the folder that it lies in is taken instead
    ],
)
def test_what_a_sweep_may_say_of_hydra(line):
    check_sweep(sweep(line), None)


@pytest.mark.parametrize(
    "line",
    [
        *HARMFUL[:1],
        "hydra.sweep.subdir=/etc/x",
        "hydra.launcher.parameters={slurm_setup: ['touch x']}",
        "hydra.launcher._target_=os.system",
        "hydra.sweeper.sampler={_target_: os.system, command: x}",
        "hydra.sweeper.storage=sqlite:////home/me/mine.db",
        "hydra.sweeper.params.hydra.run.dir=/x,/y",
        "'name=${oc.env:SECRET}'",
    ],
)
def test_what_a_sweep_may_not_say_unless_it_is_trusted(line):
    with pytest.raises(UserError, match=r"sweep\.resume=.*sweep was started with .*add trust=true"):
        check_sweep(sweep("seed=1,2", line), None)


def test_the_yaml_of_a_sweep_is_typed_again():
    with pytest.raises(UserError, match="started with --config-dir=conf, which is code of its own; give that again"):
        check_sweep(sweep(config_dir="conf"), None)
    check_sweep(sweep(config_name="mine", config_dir="conf"), "conf")
    with pytest.raises(UserError, match="--config-name="):
        check_sweep(sweep(config_name="../../evil", config_dir="conf"), "conf")


def test_settings_of_an_option_go_with_it(run_folder):
    OmegaConf.save(OmegaConf.create(["dataset=voc_folder", "dataset.path=x"]), run_folder / ".hydra" / "overrides.yaml")
    node = {"hydra": {"runtime": {"cwd": "/", "choices": {"dataset": "voc_folder"}}}}
    OmegaConf.save(OmegaConf.create(node), run_folder / ".hydra" / "hydra.yaml")
    words = ["task=evaluate", f"checkpoint={run_folder}"]
    assert "dataset.path=x" in with_earlier_run([*words, "dataset=voc_folder"], multirun=False)
    assert "dataset.path=x" not in with_earlier_run([*words, "dataset=shapes"], multirun=False)
