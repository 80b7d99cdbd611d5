"""The recipes of conf/experiment: what each header says, what it is, and the published ones, scaled down."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf

import helpers.fake_coco as fake_coco
import helpers.fake_voc as fake_voc
from helpers.tiny import CONFIG_DIR, TINY
from ssd.cli.checks import check
from ssd.cli.compose import CONF, compose_jobs, without_hydra
from ssd.cli.main import main
from ssd.experiment.build import build_detector, build_loss, build_optimizer, build_target_encoder
from ssd.models.checkpoint import load_detector
from ssd.runs.results import read_results
from ssd.training import one_loop

HEADERS = {file.stem: file.read_text().split("defaults:")[0] for file in sorted((CONF / "experiment").glob("*.yaml"))}
VOC_IMAGES, COCO_IMAGES = 16551, 118287

# The sides of all feature maps at the smallest image that keeps each recipe's levels as they are.
PUBLISHED = {
    "voc0712_ssd300_vgg16": (260, [33, 17, 9, 5, 3, 1]),
    "voc0712_ssd512_vgg16": (260, [33, 17, 9, 5, 3, 2, 1]),
    "voc0712_ssd300_mobilenet_v2": (96, [6, 3, 2, 1, 1, 1]),
    "coco2017_ssd300_vgg16": (260, [33, 17, 9, 5, 3, 1]),
    "coco2017_ssdlite320_mobilenet_v3_large": (96, [6, 3, 2, 1, 1, 1]),
}
TRAINED = ["voc0712_ssd300_mobilenet_v2", "coco2017_ssd300_vgg16"]  # with a small network: one of each data set
COMPILED = "coco2017_ssd300_vgg16"  # in part by XLA, as on every CPU; others in this folder are not (conftest.py)
HAS_XLA = one_loop.has_xla


def composed(recipe: str, *overrides: str) -> DictConfig:
    """A recipe's configuration as the task gets it."""
    (job,) = compose_jobs([f"experiment={recipe}", *overrides], multirun=False)
    return without_hydra(job)


@pytest.mark.parametrize("recipe", HEADERS)
def test_every_header_says_command_hardware_time_and_expected_result(recipe: str) -> None:
    fields = dict(re.findall(r"^# (\w+): +(\S.*)$", HEADERS[recipe], re.MULTILINE))
    assert set(fields) >= {"Command", "Hardware", "Time", "Expected"}
    assert f"experiment={recipe}" in fields["Command"].split()
    if recipe in PUBLISHED:
        assert fields["Time"].startswith("estimate, not measured")
        assert "not yet measured with this code" in re.sub(r"\s*\n#\s*", " ", HEADERS[recipe])


@pytest.mark.parametrize("recipe", HEADERS)
def test_every_recipe_composes_and_is_valid(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    missing = OmegaConf.missing_keys(composed(recipe))
    places = [tmp_path / "file" if key.endswith("annotations") else tmp_path for key in missing]
    cfg = composed(recipe, *(f"{key}={place}" for key, place in zip(missing, places, strict=True)))
    check(cfg)
    assert cfg.name == recipe


@pytest.mark.parametrize(
    ("recipe", "images", "iterations", "drops"),
    [
        ("voc0712_ssd300_vgg16", VOC_IMAGES, 120_000, [80_000, 100_000]),
        ("voc0712_ssd512_vgg16", VOC_IMAGES, 120_000, [80_000, 100_000]),
        ("coco2017_ssd300_vgg16", COCO_IMAGES, 400_000, [280_000, 360_000]),
    ],
)
def test_vgg16_is_trained_as_caffe_does(recipe: str, images: int, iterations: int, drops: list[int]) -> None:
    cfg = composed(recipe)
    steps = cfg.training.epochs * (images // cfg.training.batch_size)
    assert steps == pytest.approx(iterations, rel=0.005)
    assert [boundary * steps for boundary in cfg.schedule.boundaries] == pytest.approx(drops, rel=0.005)
    optimizer = cfg.optimizer
    assert (optimizer.learning_rate, optimizer.momentum, optimizer.weight_decay) == (1e-3, 0.9, 5e-3)
    assert (cfg.training.batch_size, cfg.augmentation.name, cfg.backbone.weights) == (32, "ssd", "imagenet_full")


def test_mobilenet_v2_is_trained_as_qfgaohao_does() -> None:
    cfg = composed("voc0712_ssd300_mobilenet_v2")
    assert (cfg.training.epochs, cfg.training.batch_size, cfg.optimizer.learning_rate) == (200, 32, 0.01)
    pixels = np.array(cfg.detector.scales) * cfg.detector.image_size
    np.testing.assert_allclose(pixels, [60, 105, 150, 195, 240, 285, 330])
    assert (cfg.schedule._target_, cfg.schedule.final_factor) == ("ssd.training.schedules.cosine", 0)


def test_ssdlite_is_trained_as_torchvision_does() -> None:
    cfg = composed("coco2017_ssdlite320_mobilenet_v3_large")
    assert (cfg.training.epochs, cfg.training.batch_size, cfg.optimizer.learning_rate) == (660, 8 * 24, 0.15)
    assert cfg.optimizer.weight_decay * (1 - cfg.optimizer.momentum) == pytest.approx(4e-5)
    assert cfg.schedule.warmup_steps == COCO_IMAGES // cfg.training.batch_size
    assert (cfg.backbone.weights, cfg.backbone.reduced_tail, cfg.backbone.symmetric_padding) == (None, True, True)
    assert [transform["_target_"].rpartition(".")[2] for transform in cfg.augmentation.transforms] == [
        "MinIoUCrop",
        "HorizontalFlip",
    ]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with small archives of VOC and COCO; the runs of this module leave their outputs beside it."""
    work = tmp_path_factory.mktemp("work")
    before = Path.cwd()
    os.chdir(work)
    fake_voc.write_official_archives(work / "archives")
    yield fake_coco.write_official_archives(work / "archives")
    os.chdir(before)


def scaled_down(recipe: str) -> list[str]:
    return [f"detector.image_size={PUBLISHED[recipe][0]}", "backbone.weights=null", "training.batch_size=2"]


@pytest.mark.parametrize("recipe", PUBLISHED)
def test_a_scaled_down_network_takes_a_step(recipe: str) -> None:
    """Of random pixels, by the recipe's loss and optimizer."""
    cfg = composed(recipe, *scaled_down(recipe))
    model = build_detector(cfg, tuple(f"class {number}" for number in range(80 if recipe.startswith("coco") else 20)))
    image_size, sides = PUBLISHED[recipe]
    assert [level.cells for level in model.prior_levels] == sides
    optimizer, loss = build_optimizer(cfg, model, steps_per_epoch=8), build_loss(cfg)
    pixels = np.random.default_rng(0).integers(0, 256, (2, image_size, image_size, 3), np.uint8)
    targets = build_target_encoder(cfg, model)(tf.constant([[[0.1, 0.1, 0.6, 0.7]]] * 2), tf.constant([[3]] * 2))
    with tf.GradientTape() as tape:
        outputs = model(pixels, training=True)
        losses = loss(targets, outputs["offsets"], outputs["logits"])
    before = [variable.numpy() for variable in model.trainable_variables]
    optimizer.apply(tape.gradient(losses.total, model.trainable_variables), model.trainable_variables)
    assert np.isfinite(losses.total)
    moved = [not np.array_equal(old, new) for old, new in zip(before, model.trainable_variables, strict=True)]
    assert np.mean(moved) > 0.5  # where few priors are matched, the heads of some levels do not


@pytest.mark.parametrize("recipe", TRAINED)
def test_a_recipe_trains_and_evaluates(recipe: str, archives: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it but the network, of which the step above is."""
    if recipe == COMPILED:
        monkeypatch.setattr(one_loop, "has_xla", HAS_XLA)
    network = [line for line in TINY if line.startswith(("--config-dir", "backbone", "detector", "precision"))]
    network += ["backbone.weights=null"]
    short = [
        f"dataset.archives={archives}",
        f"dataset.data_dir={archives.parent / 'tfds'}",
        "training.batch_size=2",
        "training.epochs=1",
        "training.limit_batches=1",
        "task.pictures=1",
        "tracking.enabled=false",
    ]
    assert main([f"experiment={recipe}", *network, *short]) == 0
    (trained,) = archives.parent.glob(f"outputs/train/*_{recipe}")
    (row,) = read_results(trained / "results.csv")
    assert np.isfinite([row["train/loss"], row["val/loss"]]).all()
    assert len(load_detector(str(trained)).class_names) == (80 if recipe.startswith("coco") else 20)

    evaluation = ["task=evaluate", f"checkpoint={trained}", "tracking.enabled=false", "task.pictures=0"]
    assert main([CONFIG_DIR, *evaluation]) == 0
    (evaluated,) = archives.parent.glob(f"outputs/evaluate/*_{recipe}")
    ours, theirs = (json.loads((folder / "metrics.json").read_text()) for folder in (evaluated, trained))
    for name in ("mAP50", "mAP50_07", "mAP"):
        assert ours[name] == pytest.approx(theirs[name], abs=1e-6)
