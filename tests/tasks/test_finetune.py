"""From somebody else's detector to one's own: convert, predict, fine-tune to other classes, freeze, evaluate."""

import json
import os
import re
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

from helpers.tiny import TINY
from parity.seeded_weights import SEED, photographs, seeded_state, stored_shapes
from ssd.cli.main import main
from ssd.data.readers.shapes import CLASS_NAMES
from ssd.models.checkpoint import load_detector
from ssd.weights.reader import read_weights

QUIET = "tracking.enabled=false"
SHAPES = [
    "dataset.train_images=4",
    "dataset.val_images=2",
    "dataset.image_size=96",
    "detector.image_size=96",
    "augmentation=none",
    "training.batch_size=2",
    "training.epochs=1",
    "schedule.warmup_steps=0",
    "optimizer=sgd",
    "optimizer.learning_rate=1e-6",
    "optimizer.weight_decay=null",
    "precision=float32",
    "task.pictures=0",
]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with the weights file of an SSDLite that detects COCO's classes."""
    folder = tmp_path_factory.mktemp("work")
    save_file(seeded_state(stored_shapes("torchvision_ssdlite320"), SEED), folder / "ssdlite.safetensors")
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def newest(work: Path, task: str) -> Path:
    return max((work / "outputs" / task).iterdir(), key=lambda folder: folder.stat().st_mtime)


def test_convert_gives_a_checkpoint_for_every_task(work):
    assert main(["task=convert", "weights=torchvision:ssdlite.safetensors", QUIET]) == 0
    folder = newest(work, "convert")
    model = load_detector(folder)
    assert (model.image_size, len(model.class_names), model.nms.iou) == (320, 90, 0.55)
    cv2.imwrite("photo.png", photographs(320)[0][..., ::-1])
    found = []
    for source in (f"checkpoint={folder}", "weights=torchvision:ssdlite.safetensors"):
        assert main(["task=predict", source, "source=photo.png", "conf=0.3", QUIET]) == 0
        found.append(json.loads((newest(work, "predict") / "detections.json").read_text())["images"][0]["objects"])
    assert len(found[0]) > 3
    assert found[0] == found[1]


def said_of_the_transfer(work: Path) -> str:
    (line,) = [line for line in (work / "outputs/latest/run.log").read_text().splitlines() if ": kept " in line]
    return line


def test_fine_tuning_keeps_what_fits_and_freezes_what_is_asked(work):
    frozen = ["backbone.freeze_until=expanded_conv_11_add", "backbone.freeze_batch_norm=true"]
    assert main(["weights=torchvision:ssdlite.safetensors", *SHAPES, *frozen, QUIET]) == 0
    said = said_of_the_transfer(work)
    assert "ssdlite.safetensors: kept" in said
    assert f"new classes, from their initial values: {', '.join(CLASS_NAMES)}" in said
    trained = load_detector(work / "outputs" / "latest")
    imported = read_weights(f"torchvision:{work}/ssdlite.safetensors").layers
    for layer in trained.layers:
        if layer in trained.backbone.layers and layer.name.endswith(("_1_expand", "_bn")):
            for mine, theirs in zip(layer.get_weights(), imported[layer.name], strict=True):
                np.testing.assert_array_equal(mine, theirs)
    moved = trained.get_layer("expanded_conv_13_project").get_weights()[0] - imported["expanded_conv_13_project"][0]
    assert 0 < np.abs(moved).max() < 0.01  # trained, from the imported values


def test_fine_tuning_from_an_own_checkpoint_with_the_same_classes(work):
    short = ["training.epochs=1", "task.pictures=0", QUIET]
    assert main([*TINY, *short]) == 0
    first = (work / "outputs" / "latest").resolve()
    classes = load_detector(first).class_names
    keras.utils.clear_session()
    others = [line for line in TINY if not line.startswith(("backbone", "detector"))]
    assert main([f"checkpoint={first}", *others, *short]) == 0  # the network is that of the checkpoint
    said = said_of_the_transfer(work)
    assert re.search(r"kept (\d+) of \1 layers;", said)
    assert said.endswith(f"; the class heads with the rows of background, {', '.join(classes)}")


def test_another_backbone_is_refused_with_a_sentence(work, capsys):
    with pytest.raises(SystemExit):
        main(
            [
                "checkpoint=outputs/latest",
                "backbone=mobilenet_v2",
                "backbone.alpha=0.35",
                "detector=ssd300",
                *SHAPES,
                QUIET,
            ]
        )
    assert "does not fit backbone=mobilenet_v2" in capsys.readouterr().err
