"""Folded batch norms: the outputs of the detector itself, whatever stands around its batch norms."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.experiment.build import build_detector
from ssd.inference.folding import FoldedNetwork
from ssd.models.detector import SSD, NMSSettings, PriorSpec

TOLERANCE = 1e-5  # of the largest output
layers = keras.layers


def with_random_statistics(model: SSD, seed: int) -> SSD:
    """All weights of batch norms become random, as far from 0 and 1 as those of trained detectors."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 2.0, weight.shape) for weight in layer.get_weights()])
    return model


def assert_same_outputs(network: FoldedNetwork, model: SSD) -> None:
    images = tf.constant(
        np.random.default_rng(0).integers(0, 255, (2, model.image_size, model.image_size, 3), np.uint8)
    )
    found, expected = network(images), model(images, training=False)
    for name in ("offsets", "logits"):
        largest = float(tf.reduce_max(tf.abs(expected[name])))
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=TOLERANCE * largest)


def operations(network: FoldedNetwork, model: SSD) -> list[str]:
    """The kinds of operations that it runs, batch norm's arithmetic among them."""
    spec = tf.TensorSpec((1, model.image_size, model.image_size, 3), tf.uint8)
    return [operation.type for operation in tf.function(network).get_concrete_function(spec).graph.get_operations()]


@pytest.mark.parametrize(
    "overrides",
    [
        ["backbone=mobilenet_v2", "backbone.alpha=0.35"],
        ["backbone=mobilenet_v3_large", "backbone.symmetric_padding=true", "detector.separable=true"],
    ],
    ids=["v2", "v3"],
)
def test_of_shipped_detectors_no_batch_norm_is_left(overrides: list[str]) -> None:
    (job,) = compose_jobs(["detector=ssd128", "backbone.weights=null", *overrides], multirun=False)
    model = with_random_statistics(build_detector(without_hydra(job), ("disc", "box")), seed=0)
    network = FoldedNetwork(model)
    assert_same_outputs(network, model)
    assert "Rsqrt" not in operations(network, model)


def detector(features: keras.KerasTensor, image: keras.KerasTensor) -> SSD:
    nms = NMSSettings(score_threshold=0.01, iou=0.45, max_per_class=50, max_detections=5)
    priors = PriorSpec((0.2, 0.4), ((2.0,),), "stride", False)
    return SSD(keras.Model(image, [features]), ["disc"], [], priors, (0.1, 0.1, 0.2, 0.2), False, nms)


def own(kind: str) -> SSD:
    """A detector whose only batch norm stands behind a convolution in one of the ways a user may choose."""
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), dtype="uint8")
    hidden = layers.Conv2D(4, 3, strides=4, padding="same")(layers.Rescaling(1 / 255)(image))
    norm = layers.BatchNormalization(center=kind != "no center", scale=kind != "no scale")
    if kind == "activation":
        return detector(norm(layers.Conv2D(4, 1, activation="relu")(hidden)), image)
    if kind == "used twice":
        raw = layers.Conv2D(4, 1)(hidden)
        return detector(layers.Add()([norm(raw), raw]), image)
    if kind == "shared":
        convolution = layers.Conv2D(4, 1)
        return detector(norm(convolution(convolution(hidden))), image)
    if kind == "nested":
        inner = keras.Input(hidden.shape[1:])
        return detector(keras.Model(inner, norm(layers.Conv2D(4, 1)(inner)))(hidden), image)
    if kind == "other axis":
        norm = layers.BatchNormalization(axis=1)
    if kind == "depthwise":
        return detector(norm(layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(hidden)), image)
    return detector(norm(layers.Conv2D(4, 1, bias_initializer="random_normal")(hidden)), image)


@pytest.mark.parametrize("kind", ["bias", "no center", "no scale", "depthwise"])
def test_a_batch_norm_behind_a_convolution_is_folded(kind: str) -> None:
    model = with_random_statistics(own(kind), seed=1)
    network = FoldedNetwork(model)
    assert_same_outputs(network, model)
    assert "Rsqrt" not in operations(network, model)


@pytest.mark.parametrize("kind", ["activation", "used twice", "shared", "nested", "other axis"])
def test_what_cannot_be_folded_is_left_as_it_is(kind: str) -> None:
    model = with_random_statistics(own(kind), seed=1)
    assert_same_outputs(FoldedNetwork(model), model)


def test_weights_of_later_come_with_refresh() -> None:
    model = with_random_statistics(own("bias"), seed=1)
    network = FoldedNetwork(model)
    compiled = tf.function(network)
    image = tf.fill((1, 16, 16, 3), tf.constant(200, tf.uint8))
    before = compiled(image)["logits"].numpy()
    for variable in model.weights:
        variable.assign(variable + 0.25)
    np.testing.assert_array_equal(compiled(image)["logits"], before)
    network.refresh()
    assert_same_outputs(network, model)
    np.testing.assert_allclose(compiled(image)["logits"], model(image)["logits"], atol=1e-5)
    assert not np.allclose(compiled(image)["logits"], before)


@pytest.mark.parametrize("trained_in", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_it_computes_in_the_precision_that_is_asked_for(trained_in: str, policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(trained_in)
    try:
        model = with_random_statistics(own("bias"), seed=1)
    finally:
        keras.config.set_dtype_policy(before)
    network = FoldedNetwork(model, policy)
    image = tf.fill((1, 16, 16, 3), tf.constant(200, tf.uint8))
    operation = next(
        operation
        for operation in tf.function(network).get_concrete_function(image).graph.get_operations()
        if operation.type == "Conv2D"
    )
    assert operation.outputs[0].dtype.name == policy.removeprefix("mixed_")
    found, expected = network(image)["logits"], model(image, training=False)["logits"]
    assert found.dtype == expected.dtype == tf.float32
    np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())
