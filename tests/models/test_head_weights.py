"""What fresh heads say: about nothing, and each prior that it is an object with the chance that was asked for."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd.models.detector import SSD
from ssd.models.extras import ExtraLevel
from ssd.models.head_weights import initialise_heads


def detector(separable: bool = False, batch_norm: bool = False) -> SSD:
    """The fake detector with a level behind it."""
    first = make_detector()
    spec = replace(first.prior_spec, scales=(0.2, 0.4, 0.8), aspect_ratios=((2.0,), (2.0,)))
    extras = [ExtraLevel(squeeze=8, filters=8, kernel=3, stride=2, padding=1)]
    keras.utils.set_random_seed(0)
    return SSD(first.backbone, first.class_names, extras, spec, first.variances, separable, first.nms, batch_norm)


def outputs(model: SSD) -> dict[str, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    return {name: np.asarray(values) for name, values in model(images).items()}


@pytest.mark.parametrize("separable", [False, True])
def test_every_prior_is_an_object_with_the_chance_that_was_asked_for(separable: bool) -> None:
    model = detector(separable=separable)
    initialise_heads(model, 0.02, seed=3)
    found = outputs(model)
    chances = np.exp(found["logits"]) / np.exp(found["logits"]).sum(-1, keepdims=True)
    np.testing.assert_allclose(1 - chances[..., 0], 0.02, rtol=0.3)
    np.testing.assert_allclose(chances[..., 1], chances[..., 2], rtol=0.5)
    assert 0 < np.abs(found["offsets"]).max() < 0.3


def test_first_weights_follow_from_the_seed_and_differ_between_levels() -> None:
    models = [detector() for _ in range(3)]
    for model, seed in zip(models, (3, 3, 4), strict=True):
        initialise_heads(model, 0.02, seed)
    kernels = [model.get_layer("box_head_1").kernel.numpy() for model in models]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])
    assert kernels[0].std() == pytest.approx(0.01, rel=0.2)


def test_batch_norms_stand_behind_the_convolutions_of_ordinary_extras() -> None:
    plain, normalised = detector(), detector(batch_norm=True)
    names = [layer.name for layer in normalised.layers if layer.name.endswith("_bn")]
    assert names == ["extra_0_squeeze_bn", "extra_0_bn"]
    assert not [layer for layer in plain.layers if layer.name.endswith("_bn")]
    assert not normalised.get_layer("extra_0").use_bias
    assert normalised.get_layer("extra_0_relu").max_value is None
    again = SSD.from_config(normalised.get_config())
    assert [tuple(w.shape) for w in again.weights] == [tuple(w.shape) for w in normalised.weights]


def test_settings_of_before_there_were_batch_norms_make_the_same_network() -> None:
    config = detector().get_config()
    del config["batch_norm"]
    assert not SSD.from_config(config).batch_norm
