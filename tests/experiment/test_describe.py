"""Which part of a configuration becomes params, in single runs and in jobs of a sweep."""

import json
import zlib
from base64 import b64decode
from pathlib import Path

import keras
import pytest
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from helpers.fake_detector import make_detector
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.experiment import describe
from ssd.inference.folding import policy_of
from ssd.tracking import view as mlflow_view

DATA = "shapes 3f2a91"


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return make_detector()


def configure(*overrides: str, multirun: bool = False, shared: tuple[str, ...] = ()) -> DictConfig:
    """The configuration of a run, or of the first job of a sweep whose jobs have `shared` in common."""
    job = compose_jobs(list(overrides), multirun=multirun)[0]
    with read_write(job), open_dict(job):
        job.hydra.mode = "MULTIRUN" if multirun else "RUN"
        job.hydra.job.config.override_dirname.exclude_keys = list(shared)
        job.hydra.job.num = 3
        job.hydra.sweep.dir = "outputs/multirun/today"
        job.hydra.runtime.output_dir = "outputs/multirun/today/3"
    HydraConfig.instance().set_config(job)
    return without_hydra(job)


def test_params_say_what_an_experiment_is(model: keras.Model) -> None:
    found = describe.params(configure("experiment=demo", "optimizer=adamw", "task.pictures=4"), model, DATA)
    assert found["experiment"] == "demo"
    assert (found["backbone"], found["detector"], found["dataset"]) == ("mobilenet_v2_small", "ssd128", DATA)
    assert (found["augmentation"], found["optimizer"], found["schedule"]) == ("flip", "adamw", "cosine")
    assert found["optimizer.learning_rate"] == "0.004"
    assert found["detector.scales"] == "0.15, 0.28, 0.42, 0.58, 0.8, 1.0"
    assert found["backbone.feature_layers"] == "block_6_expand_relu, block_13_expand_relu"
    assert (found["seed"], found["precision"]) == ("0", "float32")
    assert len(found) < 60
    absent = ("backbone.name", "backbone.weights", "detector.extras", "augmentation.transforms", "dataset.data_dir")
    assert not {*absent, "checkpoint", "training.patience"} & set(found)
    assert not [key for key in found if "_target_" in key or key.startswith(("task", "tracking", "pipeline", "hydra"))]


def test_where_a_training_starts_is_told_beside_the_command_that_repeats_it(model: keras.Model) -> None:
    cfg = configure("weights=torchvision:x", "start='x, as nothing else was chosen'", "seed=3")
    assert describe.settings(cfg, model, DATA)["start"] == "x, as nothing else was chosen"
    assert describe.command_line() == "python run.py weights=torchvision:x seed=3"


def test_what_was_typed_is_shown_even_where_it_is_null_or_long(model: keras.Model) -> None:
    extras = "detector.extras=[{squeeze:8,filters:16},{squeeze:4,filters:8}]"
    found = describe.params(configure("backbone.weights=null", "augmentation.transforms=[]", extras), model, DATA)
    assert found["backbone.weights"] == "null"
    assert found["augmentation.transforms"] == ""
    assert found["detector.extras"].startswith("squeeze=8, filters=16")


def test_what_varies_in_a_sweep_is_always_a_param(model: keras.Model) -> None:
    varying = ["pipeline.workers=1,2", "training=voc,shapes", "dataset.data_dir=a,b", "training.patience=null,3"]
    cfg = configure("seed=5", "task.pictures=4", *varying, multirun=True, shared=("seed", "task.pictures"))
    found = describe.params(cfg, model, DATA)
    assert (found["pipeline.workers"], found["training"], found["dataset.data_dir"]) == ("1", "voc", "a")
    assert found["training.patience"] == "null"
    assert "task.pictures" not in found
    tags = describe.tags(cfg, model, DATA)
    assert (tags["job"], tags["sweep"]) == ("3", "multirun today")
    assert describe.run_name(cfg) == "workers=1, training=voc, data_dir=a, patience=null · today"
    cfg = configure("sweeps=quick", "optimizer.learning_rate=0.0012345678", multirun=True, shared=("sweeps",))
    assert describe.run_name(cfg).endswith("learning_rate=0.001235 · quick")


def test_a_checkpoint_without_its_run_folder_does_not_tell_how_it_was_trained(
    model: keras.Model, tmp_path: Path
) -> None:
    cfg = configure("task=evaluate", f"checkpoint={tmp_path}/alone.keras", "dataset.val_images=7")
    found = describe.params(cfg, model, DATA)
    assert found["dataset.val_images"] == "7"
    assert found["checkpoint"] == f"{tmp_path}/alone.keras"
    assert {key.partition(".")[0] for key in found} == {"dataset", "training", "seed", "checkpoint", "precision"}
    assert [key for key in found if key.startswith("training")] == ["training.best_by"]  # of the evaluation
    assert describe.run_name(cfg) == "evaluate mobilenet_v2_small_ssd128_shapes"
    assert "backbone" not in describe.settings(cfg, model, DATA)
    assert "backbone" not in describe.tags(cfg, model, DATA)


def test_tags_of_a_single_run(model: keras.Model) -> None:
    cfg = configure("name=mine", "seed=7")
    tags = describe.tags(cfg, model, DATA)
    assert {key: tags[key] for key in ("task", "backbone", "detector", "dataset", "augmentation", "precision")} == {
        "task": "train",
        "backbone": "mobilenet_v2_small",
        "detector": "ssd128",
        "dataset": DATA,
        "augmentation": "flip",
        "precision": "float32",
    }
    assert tags["command"].endswith("run.py name=mine seed=7")
    assert tags["device"] == describe.hardware()
    assert "job" not in tags
    assert describe.run_name(cfg) == "mine"


def test_precision_of_a_loaded_detector(tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        make_detector().save(tmp_path / "mixed.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    assert policy_of(keras.saving.load_model(tmp_path / "mixed.keras")) == "mixed_bfloat16"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1e-3, "0.001"),
        ("a", "a"),
        ([], ""),
        ([0.1, 2], "0.1, 2"),
        ([[2.0], [2.0, 3.0]], "2.0; 2.0, 3.0"),
        ([{"_target_": "a.b.Flip", "p": 0.5}, {"_target_": "C"}], "Flip(p=0.5); C()"),
        ([{"squeeze": 256, "kernel": 3}], "squeeze=256, kernel=3"),
        ([{"_target_": "Expand", "fill": [1, 2], "x": None}], "Expand(fill=[1, 2], x=null)"),
    ],
)
def test_values_on_one_line_that_no_page_takes_for_json(value: object, text: str) -> None:
    assert describe.readable(value) == text


def test_the_view_shows_params_that_there_are_and_its_charts_fit_together(model: keras.Model) -> None:
    text = list(mlflow_view.tags(DATA).values())[-1]
    assert len(text) < 5000  # MLflow's limit
    state = json.loads(zlib.decompress(b64decode(json.loads(text)["state"].removeprefix("deflate;"))))
    shown = {column.split("`")[1] for column in state["selectedColumns"] if column.startswith("params.")}
    assert shown <= set(describe.params(configure(), model, DATA))
    sections = {section["uuid"] for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} <= sections
    uuids = [chart["uuid"] for chart in state["compareRunCharts"]]
    assert len(set(uuids)) == len(uuids)
    assert OmegaConf.create(state["columnWidths"]).keys() <= set(state["columnOrder"])
