"""The moving average of weights: by hand, in the model and out of it, stored and read again."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import load_detector, read_average
from ssd.models.save import save_detector
from ssd.runs.folder import LAST
from ssd.runs.keras_zip import AVERAGE
from ssd.training.average import WeightAverage
from ssd.training.checkpoints import Checkpoints


def network() -> keras.Model:
    """A frozen convolution and batch norm, then a batch norm and a convolution that learn."""
    images = keras.Input((2, 2, 1))
    hidden = keras.layers.Conv2D(1, 1, name="frozen")(images)
    hidden = keras.layers.BatchNormalization(name="frozen_bn")(hidden)
    hidden = keras.layers.BatchNormalization(name="bn")(hidden)
    model = keras.Model(images, keras.layers.Conv2D(1, 1, use_bias=False, name="conv")(hidden))
    for name in ("frozen", "frozen_bn"):
        model.get_layer(name).trainable = False
    return model


def test_the_average_is_that_by_hand() -> None:
    model = network()
    kernel = model.get_layer("conv").kernel
    kernel.assign([[[[0.0]]]])
    average = WeightAverage(model, 0.5)
    expected = 0.0
    for step, weight in enumerate((4.0, 8.0, -2.0, 6.0, 1.0, 3.0, 5.0, 2.0, 7.0), start=1):
        kernel.assign([[[[weight]]]])
        average.update(tf.constant(step))
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    with average.in_place():
        assert float(kernel[0, 0, 0, 0]) == pytest.approx(expected, rel=1e-5)
    assert float(kernel[0, 0, 0, 0]) == 7.0


def test_statistics_that_learn_are_averaged_and_frozen_ones_stay() -> None:
    model = network()
    average = WeightAverage(model, 0.999)
    for name in ("bn", "frozen_bn"):
        model.get_layer(name).moving_mean.assign([9.0])
    average.update(tf.constant(1))  # decay 2 / 11
    with average.in_place():
        assert model.get_layer("bn").moving_mean.numpy() == pytest.approx([9 * 9 / 11])
        assert model.get_layer("frozen_bn").moving_mean.numpy() == pytest.approx([9.0])


def test_the_weights_come_back_after_an_interrupt() -> None:
    model = network()
    average = WeightAverage(model, 0.9)
    model.get_layer("conv").kernel.assign([[[[5.0]]]])
    with pytest.raises(KeyboardInterrupt), average.in_place():
        raise KeyboardInterrupt
    assert float(model.get_layer("conv").kernel[0, 0, 0, 0]) == 5.0


def test_values_lead_to_the_same_average() -> None:
    model = network()
    first = WeightAverage(model, 0.9)
    model.get_layer("conv").kernel.assign([[[[5.0]]]])
    first.update(tf.constant(3))
    second = WeightAverage(model, 0.9)
    second.load(first.values())
    np.testing.assert_array_equal(second.values(), first.values())
    with pytest.raises(ValueError, match="an average of 2 weights, of which 5 are trained"):
        second.load(np.zeros(2, np.float32))


def test_a_checkpoint_keeps_both_and_is_a_detector_as_ever(tmp_path: Path) -> None:
    model = make_detector()
    average = WeightAverage(model, 0.9)
    values = average.values() + np.float32(0.125)
    average.load(values)
    save_detector(model, tmp_path / LAST, average=average.values())
    np.testing.assert_array_equal(read_average(tmp_path / LAST), values)
    for loaded, kept in zip(load_detector(tmp_path / LAST).get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, kept)
    resumed = WeightAverage(make_detector(), 0.9)
    Checkpoints(tmp_path).restore_average(resumed)
    np.testing.assert_array_equal(resumed.values(), values)


def test_a_checkpoint_without_an_average_begins_one_and_one_of_other_weights_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_detector()
    average = WeightAverage(model, 0.9)
    before = average.values()
    save_detector(model, tmp_path / LAST)
    Checkpoints(tmp_path).restore_average(average)
    np.testing.assert_array_equal(average.values(), before)
    assert "has no average of weights" in caplog.text
    save_detector(model, tmp_path / LAST, average=before[:-1])
    with pytest.raises(UserError, match=r"last\.keras does not fit \(it has an average of \d+ weights"):
        Checkpoints(tmp_path).restore_average(average)


def test_a_damaged_average_is_told(tmp_path: Path) -> None:
    file = tmp_path / LAST
    save_detector(make_detector(), file, average=np.arange(1000, dtype=np.float32))
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        content[archive.getinfo(AVERAGE).header_offset + 100] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match=AVERAGE):
        read_average(file)
