"""A training on own images starts from a trained detector where nothing else was chosen, and says so, or why not."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from omegaconf import DictConfig

from helpers.fake_checkpoint import write_detector
from helpers.fake_voc import item, write_voc
from helpers.weights_server import WeightsServer, weights_server
from ssd.cli.command_line import parse
from ssd.cli.main import main
from ssd.cli.plan import Plan, make_plan
from ssd.config.overrides import by_key, quote
from ssd.errors import UserError
from ssd.runs.folder import BEST, LAST

pytestmark = pytest.mark.usefixtures("own_process_state")
NAME = "ssdlite320_mobilenet_v3_large"
OWN = ["dataset=folder", "dataset.path=cells"]
QUIET = "tracking.enabled=false"


@pytest.fixture(autouse=True)
def server(tmp_path: Path, own_process_state: None) -> Iterator[WeightsServer]:
    write_voc(tmp_path / "cells", {name: [item("cell", 2, 2, 20, 20)] for name in "abcdef"})
    with weights_server(b"weights", NAME, tmp_path / "cache") as server:
        yield server


def planned(*command: str) -> Plan:
    return make_plan(parse(list(command)))


def test_where_nothing_else_was_chosen(server: WeightsServer, capsys: pytest.CaptureFixture[str]) -> None:
    overrides = planned(*OWN, "detector.image_size=256", "detector.nms_iou=0.4").overrides
    assert {"backbone=mobilenet_v3_large", "backbone.reduced_tail=true", "detector=ssdlite320"} < set(overrides)
    assert overrides[-2] == f"weights=torchvision:{NAME}"
    assert overrides.index("detector=ssdlite320") < overrides.index("detector.nms_iou=0.4")
    said = capsys.readouterr().out
    assert f"the training starts from torchvision:{NAME}, a trained detector, as nothing else was chosen" in said
    planned(*OWN)
    assert len(server.asked) == 1


@pytest.mark.parametrize("reader", ["voc_folder", "joined"])
def test_own_images_of_other_readers(reader: str, server: WeightsServer) -> None:
    part = "dataset.parts.a.path=cells"
    own = ["+dataset@dataset.parts.a=folder", part] if reader == "joined" else ["dataset.path=cells"]
    assert f"weights=torchvision:{NAME}" in planned(f"dataset={reader}", *own).overrides


@pytest.mark.parametrize(
    "chosen",
    [
        ["weights=null"],
        ["backbone.weights=null"],
        ["dataset.pretrained_weights=null"],
        ["dataset.pretrained_detector=null"],
        ["backbone=mobilenet_v2"],
        ["backbone.freeze_batch_norm=true"],
        ["detector=ssd300"],
        ["detector.scales=[0.1,0.2,0.3,0.4,0.5,0.6,0.7]"],
        ["experiment=bccd_mobilenet_v2"],
        ["-m", "backbone=mobilenet_v2,mobilenet_v3_large"],
        ["-m", "sweeps=backbones", "seed=1"],
        ["-m", "backbone.weights=imagenet,null"],
    ],
    ids=" ".join,
)
def test_what_was_chosen_is_not_overridden(chosen: list[str], server: WeightsServer) -> None:
    plan = planned(*OWN, *chosen)
    assert not [line for line in plan.overrides if line.startswith(("start=", "weights=torchvision"))]
    assert "detector=ssdlite320" not in plan.overrides
    assert server.asked == []


@pytest.mark.parametrize("data", [[], ["dataset=voc0712"], ["dataset=coco2017"]], ids=["shapes", "voc", "coco"])
def test_data_sets_that_are_not_ones_own_have_their_recipes(data: list[str], server: WeightsServer) -> None:
    assert planned(*data).overrides == data


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("# @package _global_\ntraining: {epochs: 3}\n", True),
        ("# @package _global_\ndefaults: [{override /backbone: mobilenet_v2}]\n", False),  # the usual one, but chosen
        ("# @package _global_\nbackbone: {freeze_until: block_2_add}\n", False),
        ("# @package _global_\ndetector: {clip_priors: true}\n", False),
        ("# @package _global_\ndetector: {nms_iou: 0.4}\n", True),
        ("# @package _global_\nweights: torchvision:mine.pth\n", False),
        ("# @package _global_\ndataset: {pretrained_weights: null}\n", False),
    ],
)
def test_an_experiment_of_ones_own_chooses_too(text: str, starts: bool, tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(text)
    plan = planned(*OWN, "--config-dir=conf", "experiment=mine")
    assert any(line.startswith("start=") for line in plan.overrides) == starts


def test_without_a_connection_it_starts_from_imagenet_and_says_what_that_costs(
    server: WeightsServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = server.status(503)
    overrides = planned(*OWN).overrides
    assert overrides[-4:-1] == [*OWN, "weights=null"]
    why = (
        "ImageNet's weights, which takes more images and time, as the trained detector "
        f"torchvision:{NAME} cannot be downloaded (the server answers 503 Server Error: Service Unavailable)"
    )
    assert overrides[-1] == f"start={quote(why)}"
    said = capsys.readouterr().out.splitlines()
    by_hand = f"download {server.address} where there is a network and give weights=torchvision:FILE"
    assert f"warning: the training starts from {why}; {by_hand}" in said
    assert len(server.asked) == 1


def test_small_objects_are_not_for_its_default_boxes(
    server: WeightsServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large, small = item("cell", 2, 2, 20, 20), item("dot", 2, 2, 7, 7)  # of images of 50 x 40: sides of 0.4 and 0.13
    write_voc(tmp_path / "dots", {"a": [large, large], "b": [large, small]}, {"train": ["a", "b"], "val": ["b"]})
    overrides = planned("dataset=folder", "dataset.path=dots").overrides
    why = (
        "ImageNet's weights, as 50% of the objects (mean over the classes) are smaller than 0.14 of their image, which "
        f"no default box of the trained detector torchvision:{NAME} matches"
    )
    assert overrides[-2:] == ["weights=null", f"start={quote(why)}"]
    assert f"the training starts from {why}; weights=torchvision:{NAME} starts from it all the same" in (
        capsys.readouterr().out.splitlines()
    )
    assert server.asked == []


@pytest.mark.parametrize("wrong", [["training.epochs=0"], ["dataset.path=nowhere"], ["training.epoch=3"]])
def test_a_mistake_is_said_before_anything_is_downloaded(wrong: list[str], server: WeightsServer) -> None:
    with pytest.raises(UserError):
        planned(*OWN, *wrong)
    assert server.asked == []


def test_a_detector_that_is_not_published_is_answered_with_those_that_are() -> None:
    with pytest.raises(UserError, match=f"ssdlite is no published detector; choose one of: .*{NAME}"):
        planned(*OWN, "dataset.pretrained_detector=torchvision:ssdlite")
    with pytest.raises(UserError, match="mine:x is no published detector; choose a project: torchvision"):
        planned(*OWN, "dataset.pretrained_detector=mine:x")


@pytest.mark.parametrize("arguments", [["task=inspect"], ["--cfg", "job"]])
def test_what_only_looks_has_the_network_and_downloads_nothing(arguments: list[str], server: WeightsServer) -> None:
    plan = planned(*OWN, *arguments)
    assert "detector=ssdlite320" in plan.overrides
    assert any(line.startswith("weights=") for line in plan.overrides) == ("--cfg" in arguments)
    assert server.asked == []


def test_a_sweep_downloads_once_and_goes_on_with_what_it_has(server: WeightsServer, tmp_path: Path) -> None:
    command = ["-m", *OWN, "seed=1,2"]
    plan = planned(*command, "hydra.sweep.dir=s")
    assert plan.sweep is not None
    assert len(plan.sweep.jobs) == 2
    assert [by_key(job)["weights"].value() for job in plan.sweep.jobs] == 2 * [f"torchvision:{NAME}"]
    assert len(server.asked) == 1
    (tmp_path / "s").mkdir()
    plan.sweep.write()
    server.answer = server.status(404)
    (tmp_path / "cache" / "tiny.pth").unlink()
    assert f"weights=torchvision:{NAME}" in planned("-m", "sweep.resume=s").overrides
    assert len(server.asked) == 1


ran: list[DictConfig] = []


def run(cfg: DictConfig, folder: Path) -> float:
    """Stands for a task."""
    ran.append(cfg)
    return 0.5


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    ran.clear()
    for task in ("train", "evaluate", "predict"):
        module = ModuleType(f"ssd.tasks.{task}")
        module.run = run  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("tasks")
@pytest.mark.parametrize("there", [True, False])
def test_such_a_run_goes_on_and_is_judged_as_it_started(there: bool, server: WeightsServer, tmp_path: Path) -> None:
    server.answer = server.whole if there else server.status(404)
    network = ("ssdlite320", "mobilenet_v3_large") if there else ("ssdlite320_stride8", "mobilenet_v2_stride8")
    assert main([*OWN, "hydra.run.dir=run", QUIET]) == 0
    server.answer = server.status(404) if there else server.whole
    assert main(["resume=run", QUIET]) == 0  # before its first checkpoint
    assert ran[1].weights == ran[0].weights == (f"torchvision:{NAME}" if there else None)
    for checkpoint in (BEST, LAST):
        write_detector(tmp_path / "run" / checkpoint)
    assert main(["resume=run", QUIET]) == 0
    assert main(["task=evaluate", "checkpoint=run", QUIET]) == 0
    assert (ran[2].weights, ran[3].weights) == (None, None)
    assert [(cfg.detector.name, cfg.backbone.name) for cfg in ran] == [network] * 4
    assert len({cfg.start for cfg in ran}) == 1
    assert ran[0].start is not None
    assert len(server.asked) == 1
