"""Diagnostics of steps whose gradients, updates and dead units are known by hand."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.runs.folder import DIAGNOSTICS
from ssd.training.diagnostics import Diagnostics, read_diagnostics
from ssd.training.loss import Losses


def network() -> keras.Model:
    """Two channels: a 1x1 convolution with weights 3 and -4, and a ReLU behind which the second one is always 0."""
    images = keras.Input((2, 2, 1))
    hidden = keras.layers.Conv2D(2, 1, use_bias=False, name="conv")(images)
    model = keras.Model(images, keras.layers.ReLU(name="relu")(hidden))
    model.get_layer("conv").kernel.assign([[[[3.0, -4.0]]]])
    return model


@cache
def compiled(diagnostics: Diagnostics) -> Callable[..., None]:
    """What is done with each step of them, traced once."""
    return tf.function(diagnostics.apply)  # type: ignore[no-any-return]


def step(diagnostics: Diagnostics, optimizer: keras.optimizers.Optimizer, gradient: list[float], matched: int) -> None:
    losses = Losses(*map(tf.constant, (1.0, 1.0, 0.0, matched, 2.0, 0.0)))
    gradients = [tf.reshape(tf.constant(gradient), (1, 1, 1, 2))]
    compiled(diagnostics)(optimizer, gradients, losses, 2)


BATCH = {"image": tf.ones((2, 2, 2, 1))}


def test_norms_ratios_and_dead_channels_are_those_by_hand(tmp_path: Path) -> None:
    model = network()
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(model.trainable_variables)
    diagnostics = Diagnostics(model, tmp_path, 0)
    step(diagnostics, optimizer, [0.6, 0.8], matched=6)  # of norm 1: (3, -4) of norm 5 becomes (2.7, -4.4)
    before = np.square([2.7, -4.4]).sum()
    step(diagnostics, optimizer, [0.0, 2.0], matched=2)
    found = diagnostics.end_epoch(1, BATCH)
    np.testing.assert_allclose(model.get_layer("conv").kernel.numpy().ravel(), [2.7, -5.4], rtol=1e-6)
    ratio = np.sqrt((0.25 + 1.0) / (25 + before))
    expected = {"gradient_norm": 2.5**0.5, "gradient_norm_max": 2.0, "update_ratio": ratio, "dead": 0.5, "matched": 2.0}
    assert found == pytest.approx({f"train/{name}": value for name, value in expected.items()}, rel=1e-5)
    whole, conv, relu = read_diagnostics(tmp_path / DIAGNOSTICS)
    assert (whole["layer"], conv["layer"], relu["layer"]) == ("all", "conv", "relu")
    assert (conv["dead"], relu["dead"], relu["gradient_norm"]) == ("", "0.5", "")
    assert float(conv["update_ratio"]) == pytest.approx(ratio, rel=1e-5)
    assert (tmp_path / "plots" / "diagnostics.png").stat().st_size > 0


def test_the_next_epoch_starts_anew_and_a_resumed_run_keeps_the_rows_before_it(tmp_path: Path) -> None:
    model = network()
    optimizer = keras.optimizers.SGD(0.5)
    optimizer.build(model.trainable_variables)
    diagnostics = Diagnostics(model, tmp_path, 0)
    for epoch in (1, 2, 3):
        step(diagnostics, optimizer, [0.0, float(epoch)], matched=2)
        assert diagnostics.end_epoch(epoch, BATCH)["train/gradient_norm"] == pytest.approx(epoch)
    resumed = Diagnostics(model, tmp_path, 1)
    step(resumed, optimizer, [0.0, 7.0], matched=2)
    resumed.end_epoch(2, BATCH)
    norms = [(row["epoch"], row["gradient_norm"]) for row in read_diagnostics(tmp_path / DIAGNOSTICS) if row["matched"]]
    assert norms == [("1", "1"), ("2", "7")]


def test_a_scaled_loss_gives_the_same_norms(tmp_path: Path) -> None:
    model = network()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5), initial_scale=1024.0)
    optimizer.build(model.trainable_variables)
    diagnostics = Diagnostics(model, tmp_path, 0)
    step(diagnostics, optimizer, [0.6 * 1024, 0.8 * 1024], matched=2)
    found = diagnostics.end_epoch(1, BATCH)
    assert found["train/gradient_norm"] == pytest.approx(1.0)
    assert found["train/update_ratio"] == pytest.approx(0.1)


def test_a_file_that_is_no_table_of_diagnostics_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / DIAGNOSTICS).write_bytes(b"\xff\x00rubbish,\n1,2\n")
    assert read_diagnostics(tmp_path / DIAGNOSTICS) == []
