"""Weights on the grid of int8 that give nearly the outputs of the given ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ssd.export.rounding import nearest_outputs, rounded_weights, weighted
from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD, NMSSettings, PriorSpec


def to_nearest(weights: np.ndarray) -> np.ndarray:
    step = np.abs(weights).max(axis=-1, keepdims=True) / 127
    step[step == 0] = 1
    return np.round(weights / step) * step


WEIGHTS = arrays(np.float64, (2, 3, 5), elements=st.floats(-4, 4, width=32))


@settings(max_examples=30, deadline=None)
@given(WEIGHTS)
def test_inputs_that_do_not_go_together_leave_rounding_to_the_nearest(weights: np.ndarray) -> None:
    covariance = np.broadcast_to(np.diag([1.0, 2.0, 3.0, 4.0, 5.0]), (2, 5, 5))
    np.testing.assert_allclose(nearest_outputs(weights, covariance), to_nearest(weights), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(WEIGHTS, st.integers(0, 99))
def test_it_is_on_the_grid_whose_step_stays(weights: np.ndarray, seed: int) -> None:
    inputs = np.random.default_rng(seed).normal(size=(2, 20, 5)) @ np.full((5, 5), 0.3) + np.eye(5)[0]
    rounded = nearest_outputs(weights, np.einsum("gpn,gpm->gnm", inputs, inputs) / 20)
    np.testing.assert_allclose(to_nearest(rounded), rounded, atol=1e-9)
    np.testing.assert_allclose(np.abs(rounded).max(axis=-1), np.abs(weights).max(axis=-1))


def test_a_difference_of_large_weights_keeps_its_sum() -> None:
    """Neighbouring pixels are nearly the same: all but the weights' sum is lost in what rounding each adds."""
    weights = np.array([[[100.0, -33.7, -32.8, -33.6]]])  # steps of 0.787
    inputs = np.random.default_rng(0).normal(size=(500, 1)) + 0.01 * np.random.default_rng(1).normal(size=(500, 4))
    covariance = (inputs.T @ inputs / 500)[None]
    error = {
        name: float(np.std(inputs @ (rounded - weights)[0, 0]))
        for name, rounded in {"nearest": to_nearest(weights), "outputs": nearest_outputs(weights, covariance)}.items()
    }
    assert error["outputs"] < 0.3 < 0.6 < error["nearest"]


@pytest.fixture
def model() -> SSD:
    keras.utils.set_random_seed(0)
    image = keras.Input((32, 32, 3), dtype="uint8")
    features = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.DepthwiseConv2D(3, strides=4, depth_multiplier=2, name="depthwise")(features)
    features = keras.layers.Conv2D(8, 1, activation="relu", name="pointwise")(features)
    features = keras.layers.Conv2D(4, 3, strides=2, padding="same", name="ordinary")(features)
    priors = PriorSpec((0.2, 0.4), ((2.0,),), "stride", False)
    return SSD(
        keras.Model(image, [features]),
        ["disc"],
        [],
        priors,
        (0.1, 0.1, 0.2, 0.2),
        False,
        NMSSettings(0.01, 0.45, 50, 5),
    )


def test_a_network_has_others_for_a_while(model: SSD) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 1, 32, 32, 3), np.uint8)
    network = FoldedNetwork(model, "float32")
    layers = {name: network.keras_model.get_layer(name) for name in ("depthwise", "pointwise", "ordinary")}
    given = {name: layer.kernel.numpy() for name, layer in layers.items()}
    right = network(tf.constant(images[0]))["logits"].numpy()
    with weighted(network, rounded_weights(network, list(images))):
        kernels = {name: layer.kernel.numpy() for name, layer in layers.items()}
        found = network(tf.constant(images[0]))["logits"].numpy()
    changed = [name for name, kernel in kernels.items() if not np.array_equal(kernel, given[name])]
    assert changed == ["depthwise", "pointwise"]
    per_output = kernels["pointwise"][0, 0].T
    np.testing.assert_allclose(to_nearest(per_output), per_output, atol=1e-6)
    assert 0 < np.abs(found - right).max() < 0.02
    for name, layer in layers.items():
        np.testing.assert_array_equal(layer.kernel.numpy(), given[name])
