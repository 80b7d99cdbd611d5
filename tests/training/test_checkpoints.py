"""The last checkpoint within an epoch: what it holds, and how it is written while the training goes on."""

import os
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import random_state, set_random_state
from ssd.models.detector import SSD
from ssd.runs.files import clear_leftovers, write_text
from ssd.training.checkpoints import Checkpoints, Place
from ssd.training.loss import Losses
from ssd.training.meter import LossMeter

PLACE = Place(2, 5, 7, 1234)


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def parts() -> tuple[SSD, keras.optimizers.Optimizer]:
    model, optimizer = make_detector(), keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    return model, optimizer


def test_what_is_written_behind_the_training_is_what_was_there_before_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = parts()
    before = [weight.numpy() for weight in model.weights]
    checkpoints, begun, may_go_on = Checkpoints(tmp_path / "run", minutes=1e-9), threading.Event(), threading.Event()
    sync = os.fsync

    def slow(descriptor: int) -> None:
        begun.set()
        assert may_go_on.wait(60)
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", slow)
        assert checkpoints.is_due
        sums = np.array([1 / 3, np.inf])
        checkpoints.save_last(model, optimizer, PLACE, running={"losses": sums}, in_background=True)
        assert begun.wait(60)
        model.weights[0].assign_add(np.ones_like(before[0]))  # the next step, meanwhile
        assert not checkpoints.is_due
        assert not checkpoints.last.exists()
        may_go_on.set()
        checkpoints.finish()
    assert checkpoints.is_due
    place, running = checkpoints.restore(model, optimizer, 7)
    assert place == PLACE
    np.testing.assert_array_equal(running["losses"], sums)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    assert Path("outputs", "latest").resolve() == tmp_path / "run"
    assert checkpoints.restore(model, optimizer, 6) == (Place(2, 0, 6, 1234), {})  # of other epochs


def test_a_disk_that_is_full_meanwhile_is_told(tmp_path: Path) -> None:
    model, optimizer = parts()
    checkpoints = Checkpoints(tmp_path / "run", minutes=1e-9)
    (tmp_path / "run").write_text("no folder")
    checkpoints.save_last(model, optimizer, PLACE, in_background=True)
    with pytest.raises(UserError, match=r"last\.keras cannot be written"):
        checkpoints.finish()


def test_layers_that_draw_go_on_drawing(tmp_path: Path) -> None:
    images = keras.Input((4,))
    model = keras.Model(images, keras.layers.Dropout(0.5)(images))
    state = random_state(model)
    first = model(tf.ones((8, 4)), training=True).numpy()
    assert state.size
    assert not np.array_equal(random_state(model), state)
    set_random_state(model, state)
    np.testing.assert_array_equal(model(tf.ones((8, 4)), training=True).numpy(), first)


def test_a_meter_goes_on_to_the_same_means() -> None:
    losses = [Losses(*map(tf.constant, (x, 2 * x, 3 * x, x, 4.0, 1.0))) for x in (0.1, 0.7, 1 / 3)]
    batch = {"index": tf.constant([0, 1])}
    whole, half = LossMeter(), LossMeter()
    for step in losses:
        whole.add(step, batch)  # type: ignore[arg-type]
    half.add(losses[0], batch)  # type: ignore[arg-type]
    half.read()
    rest = LossMeter(half.sums)
    for step in losses[1:]:
        rest.add(step, batch)  # type: ignore[arg-type]
    for meter in (whole, rest):
        meter.read()
    clock = ("train/images_per_second", "train/waiting")
    ours, theirs = ({k: v for k, v in meter.means().items() if k not in clock} for meter in (rest, whole))
    assert ours == theirs


def test_what_killed_processes_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    kept = [".lock", ".hydra", "a.part", ".mine.part", "checkpoints/last.keras"]
    for name in (*kept, ".results.csv.12.part", "checkpoints/.last.12.partial.keras", "plots/.curves.png.7.part"):
        write_text(tmp_path / name, "x")
    clear_leftovers(tmp_path)
    found = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file()}
    assert found == set(kept)
