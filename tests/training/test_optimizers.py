"""Fused updates are Keras' updates."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.training.optimizers import FusedAdam, FusedSGD, at_share_of_the_rate, fused, scaled_rate

Make = Callable[[], keras.optimizers.Optimizer]
FUSED: dict[str, Make] = {
    "adam": lambda: keras.optimizers.Adam(1e-2, beta_1=0.8, epsilon=1e-4),
    "adamw": lambda: keras.optimizers.AdamW(1e-2, weight_decay=1e-2, global_clipnorm=1.0),
    "sgd": lambda: keras.optimizers.SGD(1e-2, momentum=0.9, weight_decay=1e-3),
    "nesterov": lambda: keras.optimizers.SGD(1e-2, momentum=0.9, nesterov=True),
}


def trained(optimizer: keras.optimizers.Optimizer) -> list[np.ndarray]:
    """Weights and state after 20 steps, the last variable without weight decay."""
    random = np.random.default_rng(0)
    variables = [keras.Variable(random.normal(size=shape).astype("float32")) for shape in ((3, 4), (2, 2, 3), (5,))]
    optimizer.exclude_from_weight_decay(var_list=variables[2:])
    optimizer.build(variables)

    @tf.function
    def step(gradients: list[tf.Tensor]) -> None:
        optimizer.apply(gradients, variables)

    for _ in range(20):
        step([tf.constant(random.normal(size=variable.shape).astype("float32")) for variable in variables])
    return [variable.numpy() for variable in (*variables, *optimizer.variables)]


@pytest.mark.parametrize("name", FUSED)
def test_weights_and_state_are_those_of_keras(name: str) -> None:
    optimizer = fused(FUSED[name]())
    assert isinstance(optimizer, FusedAdam | FusedSGD)
    for found, expected in zip(trained(optimizer), trained(FUSED[name]()), strict=True):
        np.testing.assert_allclose(found, expected, atol=3e-6)


@pytest.mark.parametrize(
    "make", [lambda: keras.optimizers.Adam(amsgrad=True), keras.optimizers.SGD, keras.optimizers.Lion]
)
def test_others_stay_as_they_are(make: Make) -> None:
    optimizer = make()
    assert fused(optimizer) is optimizer


@pytest.mark.parametrize(("rule", "rate"), [("linear", 0.04), ("sqrt", 0.02)])
def test_a_rate_follows_the_batch(rule: str, rate: float) -> None:
    assert scaled_rate(0.01, rule, batch_size=32, base_batch_size=8) == pytest.approx(rate)


def test_a_checkpoint_knows_it() -> None:
    stored = keras.optimizers.serialize(fused(FUSED["adamw"]()))
    again = keras.optimizers.deserialize(stored)
    assert type(again) is FusedAdam
    assert (again.weight_decay, again.global_clipnorm) == (1e-2, 1.0)


def moved(optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]) -> list[np.ndarray]:
    """How far two steps go, compiled."""
    optimizer.build(variables)
    before = [variable.numpy() for variable in variables]

    @tf.function
    def step() -> None:
        optimizer.apply([tf.constant([0.5, -0.2]), tf.constant([1.0])], variables)

    step()
    step()
    return [variable.numpy() - old for variable, old in zip(variables, before, strict=True)]


@pytest.mark.parametrize("make", [lambda: fused(keras.optimizers.Adam(0.1)), lambda: keras.optimizers.Lion(0.1)])
def test_some_variables_move_at_their_share_of_the_rate(make: Make) -> None:
    found = []
    for share in (1.0, 0.25):
        variables = [keras.Variable([1.0, 2.0]), keras.Variable([3.0])]
        found.append(moved(at_share_of_the_rate(make(), variables[:1], share), variables))
    (whole, other), (part, same) = found
    np.testing.assert_allclose(part, 0.25 * whole, rtol=1e-4)
    np.testing.assert_allclose(same, other, rtol=1e-5)
    assert np.abs(whole).min() > 0.05
