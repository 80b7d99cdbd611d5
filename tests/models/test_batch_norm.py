"""The fused batch norm is Keras' batch norm: outputs, gradients, statistics, variables, freezing, saving."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.models.layers import BatchNorm, with_fused_batch_norm

SHAPE = (4, 5, 6, 7)


@pytest.fixture
def policy(request: pytest.FixtureRequest):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def trained(layer: keras.layers.Layer, images: tf.Tensor) -> list[np.ndarray]:
    """Output, gradients of input, gamma and beta, and the moving statistics after a step."""
    layer.build(images.shape)
    layer.gamma.assign(np.linspace(0.5, 2.0, SHAPE[-1]))
    layer.beta.assign(np.linspace(-1.0, 1.0, SHAPE[-1]))
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = layer(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
    gradients = tape.gradient(loss, [images, layer.gamma.value, layer.beta.value])
    found = [outputs, *gradients, layer.moving_mean.value, layer.moving_variance.value]
    return [np.asarray(tf.cast(value, tf.float32)) for value in found]


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 2e-6), ("mixed_bfloat16", 1e-2)], indirect=["policy"])
def test_a_step_is_that_of_keras(policy: str, tolerance: float) -> None:
    values = tf.constant(np.random.default_rng(0).normal(3, 2, SHAPE), "float32" if policy == "float32" else "bfloat16")
    ours, theirs = (trained(kind(momentum=0.9), values) for kind in (BatchNorm, keras.layers.BatchNormalization))
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(our, their, atol=tolerance * np.abs(their).max())


def test_one_value_per_channel_has_no_variance() -> None:
    layer = BatchNorm(momentum=0.0)
    np.testing.assert_allclose(layer(tf.ones((1, 1, 1, 3)), training=True), np.zeros((1, 1, 1, 3)), atol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, np.zeros(3), atol=1e-6)


def test_frozen_it_keeps_its_statistics() -> None:
    layer = BatchNorm()
    layer.trainable = False
    values = tf.constant(np.random.default_rng(0).normal(3, 2, SHAPE), tf.float32)
    np.testing.assert_allclose(layer(values, training=True), layer(values, training=False))
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(SHAPE[-1]))


def test_a_network_of_keras_takes_it_with_its_weights_and_is_saved(tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3, name="conv")(inputs)
    network = keras.Model(inputs, keras.layers.BatchNormalization(momentum=0.999, name="norm")(hidden))
    network.get_layer("norm").moving_mean.assign([1, 2, 3, 4])
    fused = with_fused_batch_norm(network, momentum=0.5)
    assert (type(fused.get_layer("norm")), fused.get_layer("norm").momentum) == (BatchNorm, 0.5)
    assert [variable.path for variable in fused.variables] == [variable.path for variable in network.variables]
    image = np.random.default_rng(1).normal(size=(2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_array_equal(fused(image), network(image))
    fused.save(tmp_path / "fused.keras")
    loaded = keras.saving.load_model(tmp_path / "fused.keras")
    assert type(loaded.get_layer("norm")) is BatchNorm
    np.testing.assert_array_equal(loaded(image), network(image))
