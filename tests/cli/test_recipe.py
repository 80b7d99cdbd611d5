"""What training=auto lets the images decide; what was typed, or set by another YAML, stays."""

from pathlib import Path

import pytest

from helpers.fake_voc import item, write_voc
from ssd.cli.command_line import parse
from ssd.cli.compose import compose_jobs
from ssd.cli.plan import make_plan
from ssd.config.chosen import chosen_keys
from ssd.config.overrides import by_key

pytestmark = pytest.mark.usefixtures("own_process_state")
OWN = ["dataset=folder", "dataset.path=cells", "dataset.pretrained_detector=null"]
NETWORK = ["backbone=mobilenet_v2_stride8", "detector=ssdlite320_stride8"]


@pytest.fixture(autouse=True)
def cells(tmp_path: Path, own_process_state: None) -> None:
    """Six images of 50 x 40 with an object of two fifths of them."""
    write_voc(tmp_path / "cells", {name: [item("cell", 2, 2, 20, 20)] for name in "abcdef"})
    (tmp_path / "x.h5").touch()


def chosen(*command: str) -> list[str]:
    """The overrides that were chosen for a command, without their reasons."""
    (lines,) = [overrides_of(*command)]
    texts = by_key(lines)["chosen"].value() if "chosen" in by_key(lines) else []
    keys = chosen_keys(texts)  # type: ignore[arg-type]
    return [line for line in lines if line.split("=")[0] in keys and line not in command]


def overrides_of(*command: str) -> list[str]:
    return make_plan(parse(list(command))).overrides


def test_the_recipe_of_a_few_images(capsys: pytest.CaptureFixture[str]) -> None:
    lines = overrides_of(*OWN, "backbone.weights=x.h5")
    assert lines[:4] == [*NETWORK, "detector.image_size=320", "training.evaluate_every=300"]
    (job,) = compose_jobs(lines, multirun=False)
    assert (job.training.minutes, job.training.batch_size, job.augmentation.name) == (15, 4, "zoom")
    assert (job.optimizer.learning_rate, job.optimizer.backbone_rate) == (3e-4, 0.3)
    assert job.backbone.weights == "x.h5"
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"training=auto: {' '.join(NETWORK)}, as no other network was chosen"
    assert said[1].endswith(
        "detector.image_size=320, as 0% of the objects (mean over the classes) are smaller than 12 pixels then"
    )
    assert list(job.chosen) == [line.removeprefix("training=auto: ") for line in said]


def test_a_network_of_random_weights_freezes_nothing() -> None:
    typed = ["backbone.weights=null", "optimizer.learning_rate=2e-3"]
    (job,) = compose_jobs(overrides_of(*OWN, *typed), multirun=False)
    assert (job.backbone.name, job.backbone.freeze_until) == ("mobilenet_v2_stride8", None)
    assert not job.backbone.freeze_batch_norm
    assert (job.optimizer.learning_rate, job.optimizer.backbone_rate) == (2e-3, 1.0)


def test_small_objects_are_seen_in_larger_images(tmp_path: Path) -> None:
    for name, side, size in (("a", 2, 320), ("b", 1, 512), ("c", 1, 512)):  # of a width of 50: 13, and 10 pixels
        write_voc(tmp_path / name, {image: [item("dot", 2, 2, 1 + side, 1 + side)] for image in "abcdef"})
        assert f"detector.image_size={size}" in chosen("dataset=folder", f"dataset.path={name}", *OWN[2:])


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (["backbone=mobilenet_v2"], ["detector.object_prior=0.01", "backbone.freeze_batch_norm=true"]),
        (["backbone=vgg16"], ["detector.object_prior=0.01"]),
        (["detector.clip_priors=true", "detector.object_prior=null"], ["backbone.freeze_batch_norm=true"]),
        (["detector=ssd512", "training.batch_size=16"], ["detector.object_prior=0.01"]),
        (["detector=ssd300", "backbone.weights=null"], ["detector.object_prior=0.01"]),
        (["backbone=mobilenet_v2", "backbone.freeze_batch_norm=false"], ["detector.object_prior=0.01"]),
    ],
    ids=" ".join,
)
def test_a_network_that_was_chosen_stays(typed: list[str], left: list[str]) -> None:
    assert chosen(*OWN, *typed) == [*left, "training.evaluate_every=300"]


@pytest.mark.parametrize(
    ("typed", "left"),
    [
        (["detector.image_size=256"], [*NETWORK, "training.evaluate_every=300"]),
        (["training.evaluate_every=2"], [*NETWORK, "detector.image_size=320"]),
        (["training.epochs=3", *NETWORK], ["training.minutes=null", "training.evaluate_every=300"]),
        (["debug=once", *NETWORK], ["training.minutes=null"]),
        (["training.epochs=3", "training.minutes=2", *NETWORK], ["training.evaluate_every=300"]),
        (["training.recipe.images=3", *NETWORK], ["training.minutes=20", "training.evaluate_every=300"]),
        (["training=default"], []),
    ],
    ids=" ".join,
)
def test_what_was_typed_stays(typed: list[str], left: list[str]) -> None:
    assert chosen(*OWN, *typed) == left


def test_an_experiment_of_ones_own_stays(tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    mine = "# @package _global_\ntraining: {evaluate_every: 2, epochs: 7}\nbackbone: {freeze_until: block_3_add}\n"
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(mine)
    assert chosen(*OWN, "--config-dir=conf", "experiment=mine") == [
        *("detector.object_prior=0.01", "backbone.freeze_batch_norm=true", "training.minutes=null")
    ]


def test_a_sweep_has_one_recipe() -> None:
    plan = make_plan(parse(["-m", *OWN, "training.minutes=1,2", "hydra.sweep.dir=s"]))
    assert plan.sweep is not None
    assert plan.overrides[:4] == [*NETWORK, "detector.image_size=320", "training.evaluate_every=300"]
    assert [by_key(job)["training.minutes"].value() for job in plan.sweep.jobs] == [1, 2]


def test_other_data_sets_and_tasks_have_none() -> None:
    assert chosen() == []
    assert chosen("dataset=voc0712") == []
    assert chosen("task=evaluate", "weights=null", "--cfg=job") == []
