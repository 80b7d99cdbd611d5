"""What a checkpoint brings back, and which networks it can."""

import errno

import keras
import numpy as np
import pytest

from helpers.fake_detector import make_detector
from ssd.errors import UserError
from ssd.models.checkpoint import check_storable, load_detector, restore
from ssd.models.detector import SSD, NMSSettings, PriorSpec
from ssd.models.save import save_detector


def with_backbone(features_of):
    image = keras.Input((32, 32, 3), dtype="uint8")
    features = features_of(keras.layers.Rescaling(1 / 255)(image))
    priors = PriorSpec((0.2, 0.4), ((2.0,),), "stride", False)
    nms = NMSSettings(score_threshold=0.01, iou=0.45, max_per_class=50, max_detections=5)
    return SSD(keras.Model(image, [features]), ["disc"], [], priors, (0.1, 0.1, 0.2, 0.2), False, nms)


@keras.saving.register_keras_serializable("mine")
class Doubled(keras.layers.Layer):
    def call(self, values):
        return 2 * values


class Secretive(keras.layers.Layer):
    """Does not say what it was made with."""

    def __init__(self, secret):
        super().__init__()
        self.secret = secret

    def call(self, values):
        return values


class Nameless(Doubled):
    """Not registered."""


def operators(pixels):
    """What a backbone of one's own may do beside calling layers."""
    hidden = keras.layers.Conv2D(8, 3, strides=8, padding="same", kernel_regularizer="l2")(pixels * 2.0 - 1.0)
    return keras.ops.relu6(hidden + 3.0) / 6.0 * keras.layers.Activation(keras.activations.swish)(hidden)[..., :8]


def kinds_of_layers(pixels):
    hidden = keras.layers.SeparableConv2D(8, 3, strides=8, padding="same", activation="gelu")(pixels)
    hidden = keras.layers.Dropout(0.1)(keras.layers.LayerNormalization()(hidden))
    hidden = keras.layers.Add()([hidden, keras.layers.MultiHeadAttention(2, 4)(hidden, hidden)])
    inner = keras.Sequential([keras.Input((4, 4, 8)), keras.layers.Conv2D(8, 1), keras.layers.PReLU()])
    return keras.layers.Normalization(mean=[0.0] * 8, variance=[1.0] * 8)(Doubled()(inner(hidden)))


@pytest.mark.parametrize("features_of", [operators, kinds_of_layers])
def test_a_backbone_of_ones_own_comes_back(tmp_path, features_of):
    model = with_backbone(features_of)
    check_storable(model)
    save_detector(model, tmp_path / "own.keras")
    images = np.random.default_rng(0).integers(0, 255, (1, 32, 32, 3), np.uint8)
    loaded = load_detector(tmp_path / "own.keras")
    np.testing.assert_allclose(loaded(images)["logits"], model(images)["logits"], rtol=1e-5)


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (lambda: keras.layers.Lambda(abs), "it asks for keras.layers.Lambda, which no detector needs"),
        (
            lambda: keras.layers.Activation(lambda values: 2 * values),
            "it has an activation that is no function of Keras",
        ),
        (lambda: Secretive(object()), ""),
        (lambda: Nameless(), r"it asks for .*Nameless, which no detector needs"),
    ],
)
def test_a_network_that_could_not_be_read_again_is_refused_before_it_is_trained(layer, said):
    model = with_backbone(lambda pixels: keras.layers.Conv2D(4, 3, strides=8)(layer()(pixels)))
    with pytest.raises(UserError, match=rf"could not be read from a checkpoint again: {said}.*register_keras_serial"):
        check_storable(model)


def test_no_space_to_unpack_is_not_called_a_bad_file(tmp_path, monkeypatch):
    save_detector(make_detector(), tmp_path / "good.keras")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ssd.models.checkpoint.copy", full)
    with pytest.raises(UserError, match=r"good\.keras cannot be unpacked in .* \(No space left on device\).*TMPDIR"):
        load_detector(tmp_path / "good.keras")


def built(optimizer, model):
    optimizer.build(model.trainable_variables)
    return optimizer


def adam(scaled):
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10))
    return keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer


@pytest.mark.parametrize("scaled", [False, True])
def test_the_state_of_an_optimizer_comes_back(tmp_path, scaled):
    model = make_detector()
    optimizer = built(adam(scaled), model)
    rng = np.random.default_rng(0)
    for variable in (*optimizer.variables, *model.variables):
        variable.assign(rng.integers(1, 5, variable.shape))
    notes = {"epoch": 3, "step": 1, "steps_per_epoch": 5}
    save_detector(model, tmp_path / "last.keras", optimizer, notes)
    again = make_detector()
    other = built(adam(scaled), again)
    assert restore(tmp_path / "last.keras", again, other) == notes
    assert again.optimizer is None
    pairs = zip((*other.variables, *again.variables), (*optimizer.variables, *model.variables), strict=True)
    for after, before in pairs:
        np.testing.assert_array_equal(after, before)


def test_what_does_not_fit_is_said_and_changes_nothing(tmp_path):
    model = make_detector()
    save_detector(model, tmp_path / "best.keras")
    save_detector(model, tmp_path / "last.keras", built(adam(False), model))
    other = with_backbone(operators)
    for file, into, optimizer, said in (
        ("best", make_detector(), adam(False), "was written with another optimizer"),
        ("last", make_detector(), keras.optimizers.SGD(), "was written with another optimizer"),
        ("last", other, adam(False), "detects disc, box, but the data set has disc; resume"),
    ):
        before = [value.copy() for value in into.get_weights()]
        with pytest.raises(UserError, match=rf"{file}\.keras {said}"):
            restore(tmp_path / f"{file}.keras", into, built(optimizer, into))
        for weight, value in zip(into.get_weights(), before, strict=True):
            np.testing.assert_array_equal(weight, value)
    other.class_names = model.class_names
    with pytest.raises(UserError, match=r"last\.keras holds another network"):
        restore(tmp_path / "last.keras", other)
