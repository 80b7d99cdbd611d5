"""Everything shipped composes and passes the checks; every kind of mistake gets one clear sentence."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from ssd.cli.checks import check
from ssd.cli.compose import CONF, compose_jobs, slug, without_hydra
from ssd.comparison.sources import read_pair
from ssd.environment import ROOT
from ssd.errors import UserError

GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")
STRIDE8 = ("mobilenet_v2_stride8", "ssdlite320_stride8")
OPTIONS = [(group, file.stem) for group in GROUPS for file in sorted((CONF / group).glob("*.yaml"))]


def composed(*overrides: str, config_dir: Path | None = None) -> DictConfig:
    """One job's configuration as the task gets it, unchecked."""
    (job,) = compose_jobs(overrides, multirun=False, config_dir=None if config_dir is None else str(config_dir))
    return without_hydra(job)


@pytest.fixture
def filled(tmp_path: Path) -> list[str]:
    """Overrides that give every mandatory path of every data set and task something that exists."""
    (tmp_path / "file").touch()
    file, folder = tmp_path / "file", tmp_path
    values = {"dataset.path": folder, "dataset.train_images": folder, "dataset.val_images": folder}
    values |= {"dataset.train_annotations": file, "dataset.val_annotations": file}
    return [f"{key}={value}" for key, value in values.items()]


def needed(cfg: DictConfig, filled: list[str]) -> list[str]:
    missing = OmegaConf.missing_keys(cfg)
    return [line for line in filled if line.split("=")[0] in missing]


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=[f"{group}={option}" for group, option in OPTIONS])
def test_every_option_composes_and_is_valid(group: str, option: str, filled: list[str], tmp_path: Path) -> None:
    overrides = [f"{group}={option}"]
    if option in STRIDE8:
        overrides = [f"backbone={STRIDE8[0]}", f"detector={STRIDE8[1]}"]  # six levels together
    if option in ("evaluate", "predict", "export", "benchmark", "serve", "convert"):
        overrides += [f"checkpoint={tmp_path}"]
    if option in ("predict", "report", "reproduce"):
        (tmp_path / ".hydra").mkdir()
        (tmp_path / ".hydra" / "overrides.yaml").write_text("[]")
        overrides += [f"source={tmp_path}"]
    if option == "compare":
        overrides += [f"source={_run(tmp_path / 'a')}+{_run(tmp_path / 'b')}"]
    cfg = composed(*overrides)
    if missing := needed(cfg, filled):
        cfg = composed(*overrides, *missing)
    check(cfg)
    if group not in ("training", "experiment", "debug") and option not in (
        "folder",
        "voc_folder",
        "coco_json",
    ):
        assert cfg[group].name == option if "name" in cfg[group] else cfg[group]._target_


def _run(folder: Path) -> Path:
    """The folder of a training that has begun."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra" / "overrides.yaml").write_text("[]")
    sections = {name: {"a": 1} for name in ("backbone", "detector", "dataset", "optimizer", "training", "tracking")}
    OmegaConf.save({"task": {"name": "train"}, **sections, "name": "x"}, folder / "config.yaml")
    return folder


def test_what_is_compared_are_two_runs_that_judge_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "of+many", "0_x=1,y=2"):
        _run(Path(name))
    for name in ("fresh", "sweep/0_a", "predicted", "damaged"):
        _run(Path(name))
    Path("fresh/config.yaml").unlink()
    Path("predicted/config.yaml").write_text(Path("a/config.yaml").read_text().replace("name: train", "name: predict"))
    Path("damaged/config.yaml").write_text("[")
    Path("plain").mkdir()
    for source, message in {
        "a+a": "names the run .*a twice; a run is no better than itself",
        "a,b+b": "twice",
        "a+fresh": "fresh has not begun; name trainings or evaluations",
        "a+sweep": "sweep is the folder of a sweep; name the folder of a job in it",
        "a+predicted": "predicted is a run of task=predict, which judges no detector",
        "a+damaged": "damaged/config.yaml cannot be read",
        "a+plain": "plain is not the folder of a run",
        "a+": "'' is no folder",
    }.items():
        with pytest.raises(UserError, match=message):
            read_pair(source)
    found = read_pair("of+many+a,0_x=1,y=2")
    assert (found.a, found.b) == ((Path("of+many"),), (Path("a"), Path("0_x=1,y=2")))


@pytest.mark.parametrize("backbone", ["vgg16", "mobilenet_v2", "mobilenet_v3_large"])
@pytest.mark.parametrize("detector", ["ssd300", "ssd512", "ssdlite320", "ssd300_coco"])
def test_every_backbone_fits_every_detector(backbone: str, detector: str) -> None:
    check(composed(f"backbone={backbone}", f"detector={detector}"))


def test_vgg16_on_voc0712_is_the_papers_recipe() -> None:
    cfg = composed("backbone=vgg16", "dataset=voc0712")
    assert cfg.optimizer._target_ == "keras.optimizers.SGD"
    assert (cfg.optimizer.learning_rate, cfg.optimizer.momentum, cfg.optimizer.weight_decay) == (1e-3, 0.9, 5e-3)
    assert cfg.schedule._target_ == "ssd.training.schedules.step"
    assert cfg.training.batch_size == 32
    iterations = cfg.training.epochs * 16551 // cfg.training.batch_size
    assert iterations == pytest.approx(120_000, rel=0.01)
    assert [round(b * iterations / 1000) for b in cfg.schedule.boundaries] == [80, 100]
    assert (cfg.detector.image_size, cfg.augmentation.name, cfg.backbone.weights) == (300, "ssd", "imagenet")
    overrides = ["name=vgg16_ssd300_voc0712", "backbone.weights=imagenet"]  # the whole classifier is 553 MB
    assert cfg == composed("experiment=voc0712_ssd300_vgg16", *overrides)


def test_the_best_is_by_coco_s_map_and_by_voc_s_where_the_recipe_is_voc_s() -> None:
    found = [composed(f"dataset={name}").training.best_by for name in ("shapes", "coco2017", "voc0712", "voc2007")]
    assert found == ["val/mAP", "val/mAP", "val/mAP50", "val/mAP50"]
    assert composed("dataset=voc2007", "training.best_by=val/mAP50_07").training.best_by == "val/mAP50_07"


def test_command_line_wins_over_experiment_and_experiment_over_data_set() -> None:
    assert composed("dataset=voc0712").optimizer._target_ == "keras.optimizers.SGD"
    assert composed("dataset=voc0712", "optimizer=adamw").optimizer._target_ == "keras.optimizers.AdamW"
    assert composed("experiment=voc0712_ssd300_vgg16", "dataset=shapes").training.epochs == 232
    assert composed("dataset=shapes").training.epochs != 232
    assert composed("experiment=demo", "training.epochs=3").training.epochs == 3


def test_pretrained_weights_follow_the_data_set_unless_given() -> None:
    assert composed("dataset=shapes").backbone.weights is None
    assert composed("dataset=voc2007").backbone.weights == "imagenet"
    assert composed("dataset=voc2007", "backbone.weights=null").backbone.weights is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epoch=3"], "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        (["+training.epoch=3"], "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        (["++training.epoch=3"], "unknown key 'training.epoch'; did you mean 'training.epochs'?"),
        (["+optimizer.lrr=1"], "unknown key 'optimizer.lrr'; choose one of: "),
        (["+detector.extras.0.kernl=3"], "unknown key 'detector.extras[0].kernl'; did you mean"),
        (["+extra.key=1"], "unknown key 'extra'"),
        (["epochs=3"], "unknown key 'epochs'; did you mean 'training.epochs'?"),
        (["learning_rate=3"], "unknown key 'learning_rate'; did you mean 'optimizer.learning_rate'?"),
        (["bakbone=vgg16"], "unknown key 'bakbone'; did you mean 'backbone'?"),
        (["hydra.run.di=x"], "unknown key 'hydra.run.di'; did you mean 'hydra.run.dir'?"),
        (["optimizer=adam", "optimizer.momentum=0.5"], "unknown key 'optimizer.momentum'; choose one of: _target_, "),
        (["backbone=vgg61"], "backbone=vgg61: there is no such backbone; did you mean 'vgg16'?"),
        (["experiment=dmo"], "experiment=dmo: there is no such experiment; did you mean 'demo'?"),
        (["sweeps=typo"], "sweeps=typo: there is no such sweep; choose one of: augmentation, backbones"),
        (["+sweeps=bakbones"], "sweeps=bakbones: there is no such sweep; did you mean 'backbones'?"),
        (["+sweeps=backbones"], "sweeps has a value already; leave the + out: sweeps=backbones"),
        (["sweep=backbones"], "sweep is a section (sweep.register=NAME); a sweep is chosen by sweeps=NAME"),
        (["training.epochs=many"], "training.epochs: Value 'many' of type 'str' could not be converted to Integer"),
        (["seed=1.5"], "seed: Value '1.5' of type 'float' could not be converted to Integer"),
        (["detector.scales=3"], "detector.scales: Invalid value assigned: int is not a ListConfig"),
        (["precision=float31"], "precision: Invalid value 'float31', expected one of"),
        (["precision=float31"], "did you mean 'float32'?"),
        (["detector.prior_steps=strides"], "did you mean 'stride'?"),
        (["name=${nope}"], "name: ${nope} names no key of the configuration"),
        (["training.epochs"], "'training.epochs' cannot be read; write key=value"),
        (["~training.epochs"], "~training.epochs: training.epochs cannot be left out"),
        (["~backbone"], "backbone"),
        (["optimizer=null"], "a group's value must be a string"),
        (["experiment=bccd_vgg16", "dataset=voc2007"], "sets dataset.path, which dataset=voc2007 does not have"),
        (["backbone=vgg16,mobilenet_v2"], "has several values; run all with -m"),
        (["training.batch_size=0"], "training.batch_size=0 must be between 1 and 65536"),
        (["dataset.image_size=40"], "dataset.image_size=40 must be between 64 and 4096 pixels to draw in"),
        (
            ["task.name=build"],
            "task.name=build: there is no such task; choose one of: benchmark, compare, convert, evaluate, export",
        ),
        (["task.name=trian"], "task.name=trian: there is no such task; did you mean 'train'?"),
        (["task.name=report"], "task.name=report does not make it another task; choose it by task=report"),
        (["task=predict", "task.pictures=2"], "unknown key 'task.pictures'; choose one of: _target_, name, save"),
        (["detector.image_size=100000"], "detector.image_size=100000 must be between 32 and 4096 pixels"),
        (["pipeline.workers=100000"], "pipeline.workers=100000 must be between 1 and 1024"),
        (["tracking.uri=nonsense"], "tracking.uri=nonsense is no store of MLflow; give sqlite:///FILE"),
        (["tracking.uri='foo://bar'"], "tracking.uri=foo://bar is no store of MLflow"),
        ([f"name={'x' * 5000}"], "has 5000 letters; a folder is named after it: at most 150"),
        (["score_threshold=nan"], "score_threshold=nan must be a finite number"),
        (["detector.nms_iou=nan"], "detector.nms_iou=nan must be a finite number"),
        (["optimizer=adam", "optimizer.beta_1=nan"], "optimizer.beta_1=nan must be a finite number"),
        (["optimizer.learning_rate=inf"], "optimizer.learning_rate=inf must be a finite number"),
        (["detector.variances=[0.1,0.1,nan,0.2]"], "detector.variances"),
        (["lr=0.1"], "unknown key 'lr'; here it is optimizer.learning_rate"),
        (["score_threshold=0.001"], "score_threshold=0.001 is below detector.score_threshold=0.01"),
        (
            ["training.best_by=val/map"],
            "best_by=val/map is no validated mAP of results.csv; did you mean 'val/mAP'?",
        ),
        (["training.best_by=val/mAP75"], "did you mean 'val/mAP50'?"),
        (["training.best_by=train/loss"], "choose one of: val/mAP, val/mAP50, val/mAP50_07"),
        (["training.best_by=null"], "training.best_by"),
        (["training.devices=3"], "batch_size=8 cannot be shared evenly (3 devices, 1 micro-batches); give"),
        (["training.micro_batches=16"], "give training.batch_size=16, or another multiple of 16"),
        (["training.scale_rate=linear"], "training.scale_rate=linear needs training.base_batch_size, the batch that"),
        (
            ["training.synchronized_batch_norm=true", "training.micro_batches=2"],
            "training.synchronized_batch_norm is of batches that pass the network at once",
        ),
        (
            ["task=lr_find", "training.scale_rate=sqrt", "training.base_batch_size=8"],
            "training.scale_rate=sqrt: task=lr_find finds the rate of this very batch; leave it out",
        ),
        (["training.patience=0"], "training.patience=0 must be between 1 and 1000000"),
        (["seed=-1"], "seed=-1 must be between 0 and"),
        (["detector.image_size=8"], "detector.image_size=8 must be between 32 and 4096 pixels"),
        (
            ["dataset=voc_folder", "dataset.path=.", "dataset.val_fraction=1"],
            "dataset.val_fraction=1.0 must be between",
        ),
        (["optimizer.learning_rate=0"], "optimizer.learning_rate=0.0 must be greater than 0"),
        (["detector.nms_iou=1.5"], "detector.nms_iou=1.5 must be between 0 and 1"),
        (["detector.variances=[0.1,0.1,0.2]"], "detector.variances=[0.1, 0.1, 0.2] must be four positive numbers"),
        (["detector.scales=[0.3,0.2,0.4,0.5,0.6,0.7,0.8]"], "must be positive and grow"),
        (["schedule=step", "schedule.boundaries=[0.8,0.6]"], "must be growing fractions"),
        (["detector.scales=[0.1,0.2]"], "detector.scales has 2 entries, but 2 backbone.feature_layers and 3 detector"),
        (["detector.aspect_ratios=[[2.0]]"], "detector.aspect_ratios has 1 entries"),
        (["backbone.feature_layers=[out_relu]"], "are 4 levels, which need 4"),
        (["dataset=voc_folder"], "dataset.path has no value; give dataset.path=..."),
        (["dataset=voc_folder", "dataset.path=/not/there"], "dataset.path=/not/there: there is no such folder"),
        (["dataset=voc_folder", f"dataset.path={__file__}"], "is a file; it must be a folder"),
        (["dataset=folder", "dataset.path=/not/there"], "dataset.path=/not/there: there is no such folder"),
        (["dataset=folder", "dataset.path=.", "dataset.convert=yolo"], "dataset.convert is for task=inspect, not for"),
        (["backbone.weights=/not/there.h5"], "backbone.weights=/not/there.h5: there is no such file"),
        (["task=evaluate"], "task=evaluate needs a trained detector; give checkpoint="),
        (["task=predict", "checkpoint=."], "task=predict needs images; give source="),
        (["task=lr_find", "task.lowest=1e-2", "task.highest=1e-3"], "task.lowest must be below task.highest"),
        (
            ["source=photo.jpg"],
            "source is for task=predict, task=report, task=compare, task=reproduce, not for task=train",
        ),
        (["task=report"], "task=report needs jobs; give source=FOLDER of a sweep, or source=RUN_ID of MLflow"),
        (["task=report", "source=no/sweep"], "source=no/sweep: 'no/sweep' is neither a folder nor an MLflow run id"),
        (["task=report", "source=."], "source=. is not the folder of a sweep or a run"),
        (["task=report", "source='a,b'"], "source=a,b: 'a' is neither a folder nor an MLflow run id"),
        (["task=reproduce"], "task=reproduce needs a training to repeat; give source=RUN_FOLDER"),
        (["task=compare"], "task=compare needs two runs; give source=RUN_A+RUN_B"),
        (["task=compare", "source=a"], "source=a names one side, and two are compared: source=RUN_A+RUN_B"),
        (["task=compare", "source=a+b+c"], "source=a+b+c names 3 sides, and two are compared"),
        (["task=compare", "source=a+b"], "source=a+b: 'a' is no folder; paths are relative to"),
        (["task=compare", "source=a+b", "task.draws=3"], "task.draws=3 must be between 100 and 100000"),
        (["sweep.register=a/b"], "sweep.register=a/b must be a name of letters, digits"),
        (["sweep.register=cells", "sweep.alias=V2"], "sweep.alias=V2 must be of letters"),
        (["sweep.register=cells", "tracking.log_model=false"], "sweep.register=cells needs tracking.log_model=true"),
        (["sweep.register=cells", "tracking.enabled=false"], "sweep.register=cells needs tracking.enabled=true"),
        (
            ["dataset=voc_folder", "dataset.path=.", "dataset.on_error=skp"],
            "dataset.on_error=skp is neither raise nor skip; did you mean 'skip'?",
        ),
        (["task=evaluate", "resume=."], "resume continues a training, and the task is evaluate"),
        (["checkpoint=.", "weights=torchvision:a.pth"], "checkpoint and weights both name the detector"),
        (["backbone=mobilenet_v2", "backbone.weights=imagenet_full"], "weights=imagenet_full: there is no such file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence(overrides: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        check(composed(*overrides))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_own_yaml_in_an_open_group_may_have_any_keys(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "lion.yaml").write_text(
        "_target_: keras.optimizers.Lion\nlearning_rate: 1.0e-4\nbeta_1: 0.9\n"
    )
    cfg = composed("optimizer=lion", "optimizer.beta_1=0.8", "+optimizer.beta_2=0.9", config_dir=tmp_path)
    check(cfg)
    assert cfg.optimizer == {"_target_": "keras.optimizers.Lion", "learning_rate": 1e-4, "beta_1": 0.8, "beta_2": 0.9}


def test_own_yaml_without_target_is_refused(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "mine.yaml").write_text("learning_rate: 1.0e-4\n")
    with pytest.raises(UserError, match="optimizer has no `_target_`"):
        check(composed("optimizer=mine", config_dir=tmp_path))


def test_own_detector_yaml_is_held_to_the_schema(tmp_path: Path) -> None:
    (tmp_path / "detector").mkdir()
    (tmp_path / "detector" / "mine.yaml").write_text("defaults: [ssd300]\nnms_uoi: 0.5\n")
    with pytest.raises(
        UserError, match=r"detector/mine\.yaml: unknown key 'detector\.nms_uoi'; did you mean 'detector\.nms_i"
    ):
        composed("detector=mine", config_dir=tmp_path)


def test_config_dir_that_does_not_exist() -> None:
    with pytest.raises(UserError, match="--config-dir /not/there: there is no such folder"):
        composed(config_dir=Path("/not/there"))


def test_a_grid_is_composed_job_by_job() -> None:
    jobs = compose_jobs(["training.epochs=1,2", "backbone=vgg16,mobilenet_v2", "seed=7"], multirun=True)
    found = [(job.training.epochs, job.backbone.name, job.seed) for job in jobs]
    assert found == [(1, "vgg16", 7), (1, "mobilenet_v2", 7), (2, "vgg16", 7), (2, "mobilenet_v2", 7)]


@pytest.mark.parametrize("sweep", sorted(file.stem for file in (ROOT / "sweeps").glob("*.yaml")))
def test_every_sweep_composes_and_is_valid(sweep: str) -> None:
    jobs = compose_jobs([f"sweeps={sweep}"], multirun=True)
    assert len(jobs) > 1
    for job in jobs:
        check(without_hydra(job))


def test_tracking_uri_is_absolute_in_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert composed().tracking.uri == f"sqlite:///{tmp_path}/mlflow.db"


def test_every_experiment_says_command_hardware_time_and_expectation() -> None:
    for file in (CONF / "experiment").glob("*.yaml"):
        header = "".join(line for line in file.read_text().splitlines(keepends=True) if line.startswith("#"))
        assert f"experiment={file.stem}" in header, file.name
        for word in ("Command:", "Hardware:", "Time:", "Expected:"):
            assert word in header, f"{file.name}: {word}"


def test_default_yaml_sets_no_key_twice() -> None:
    """A key that config.yaml sets after a group would silently win over the group's file."""
    top = yaml.safe_load((CONF / "config.yaml").read_text())
    assert not set(GROUPS) & set(top)
    assert top["defaults"].index("_self_") < min(i for i, d in enumerate(top["defaults"]) if isinstance(d, dict))
    assert ConfigStore.instance().list("schema")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("backbone=vgg16,seed=1", "backbone=vgg16,seed=1"), ("a=/x/y z", "a=-x-y-z"), ("", "job"), ("x" * 200, "x" * 80)],
)
def test_slug(text: str, expected: str) -> None:
    assert slug(text) == expected


def run_py(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python run.py` from another folder, printing at its end which heavy packages it imported."""
    code = (
        "import runpy, sys, atexit\n"
        "heavy = ('tensorflow', 'keras', 'mlflow', 'albumentations', 'matplotlib', 'cv2', 'numpy')\n"
        "atexit.register(lambda: print('IMPORTED', [m for m in heavy if m in sys.modules]))\n"
        f"sys.argv = ['run.py', *{list(arguments)!r}]\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        f"runpy.run_path({str(ROOT / 'run.py')!r}, run_name='__main__')\n"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, timeout=60)


def test_help_imports_nothing_heavy_and_names_everything(tmp_path: Path) -> None:
    done = run_py(tmp_path, "--help")
    assert done.returncode == 0
    assert "IMPORTED []" in done.stdout
    for word in ("backbone", "voc0712", "resume=", "task=predict", "limit_batches", "backbones"):
        assert word in done.stdout


def test_wrong_key_imports_nothing_heavy_and_leaves_nothing_behind(tmp_path: Path) -> None:
    done = run_py(tmp_path, "training.epoch=3")
    assert done.returncode == 2
    assert done.stderr == "error: unknown key 'training.epoch'; did you mean 'training.epochs'?\n"
    assert "IMPORTED []" in done.stdout
    assert list(tmp_path.iterdir()) == []
