"""The network: shapes, priors that follow from the maps, serialisation; one contract for every backbone."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from ssd.errors import UserError
from ssd.models.backbones import mobilenet_v2, mobilenet_v3_large, vgg16
from ssd.models.backbones.vgg import subsample_classifier
from ssd.models.detector import SSD, NMSSettings, PriorSpec
from ssd.models.extras import ExtraLevel
from ssd.models.layers import L2Norm, Preprocess

SSD300_EXTRAS = [
    ExtraLevel(256, 512, 3, 2, 1),
    ExtraLevel(128, 256, 3, 2, 1),
    ExtraLevel(128, 256, 3, 1, 0),
    ExtraLevel(128, 256, 3, 1, 0),
]
SSD300_PRIORS = PriorSpec(
    scales=(0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05),
    aspect_ratios=((2.0,), (2.0, 3.0), (2.0, 3.0), (2.0, 3.0), (2.0,), (2.0,)),
    steps="stride",
    clip=False,
)
NMS = NMSSettings(0.01, 0.45, 400, 200)
CLASSES = ("cat", "dog", "hen")
MEAN = [103.939, 116.779, 123.68]  # keras.applications' for VGG16


def small_vgg(image_size, **arguments):
    return vgg16(image_size, None, ["block4_conv3", "fc7"], MEAN, **arguments)


def small_mobilenet(image_size, **arguments):
    return mobilenet_v2(image_size, None, ["block_13_expand_relu", "out_relu"], alpha=0.35, **arguments)


def small_v3(image_size, **arguments):
    layers = ["expanded_conv_12_expand_hard_swish", "conv_1_hard_swish"]
    return mobilenet_v3_large(image_size, None, layers, **arguments)


def detector(backbone, extras=SSD300_EXTRAS, priors=SSD300_PRIORS, separable=False):
    return SSD(backbone, CLASSES, extras, priors, (0.1, 0.1, 0.2, 0.2), separable, NMS)


@pytest.fixture(autouse=True)
def _fresh_session():
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)


def cells_and_steps(model):
    return [(level.cells, round(level.step * model.image_size, 2)) for level in model.prior_levels]


def test_ssd300_vgg16_is_the_papers():
    model = detector(small_vgg(300))
    assert cells_and_steps(model) == [(38, 8), (19, 16), (10, 32), (5, 64), (3, 100), (1, 300)]
    assert model.priors.shape == (8732, 4)
    np.testing.assert_allclose(model.priors[0] * 300, [4, 4, 30, 30], rtol=1e-5)
    np.testing.assert_allclose(model.priors[1, 2] * 300, np.sqrt(30 * 60), rtol=1e-5)
    np.testing.assert_allclose(model.priors[-4] * 300, [150, 150, 264, 264], rtol=1e-5)


def test_ssd512_vgg16_is_the_papers():
    extras = [ExtraLevel(256, 512, 3, 2, 1), *[ExtraLevel(128, 256, 3, 2, 1)] * 3, ExtraLevel(128, 256, 4, 1, 1)]
    ratios = ((2.0,), *(((2.0, 3.0),) * 4), (2.0,), (2.0,))
    priors = PriorSpec((0.07, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05), ratios, "stride", clip=False)
    model = detector(small_vgg(512), extras, priors)
    sides = [(64, 8), (32, 16), (16, 32), (8, 64), (4, 128), (2, 256), (1, 512)]
    assert cells_and_steps(model) == sides
    assert len(model.priors) == 24564


def test_ssdlite320_steps_follow_from_the_maps():
    extras = [
        ExtraLevel(squeeze, filters, 3, 2, 1) for squeeze, filters in ((256, 512), (128, 256), (128, 256), (64, 128))
    ]
    priors = PriorSpec((0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0), ((2.0, 3.0),) * 6, "feature_map", clip=True)
    model = detector(small_mobilenet(320), extras, priors, separable=True)
    assert cells_and_steps(model) == [(20, 16), (10, 32), (5, 64), (3, 106.67), (2, 160), (1, 320)]
    assert len(model.priors) == 3234
    depthwise = [layer for layer in model.layers if "box_head" in layer.name and "depthwise" in layer.name]
    assert depthwise  # SSDLite's heads


@pytest.mark.parametrize("build", [small_vgg, small_mobilenet, small_v3])
@pytest.mark.parametrize("image_size", [96, 300])
def test_any_image_size_gives_outputs_over_all_priors(build, image_size):
    model = detector(build(image_size))
    outputs = model(np.zeros((2, image_size, image_size, 3), np.uint8))
    assert outputs["offsets"].shape == (2, len(model.priors), 4)
    assert outputs["logits"].shape == (2, len(model.priors), 4)
    assert outputs["logits"].dtype == tf.float32
    assert ((model.priors[:, :2] >= 0) & (model.priors[:, :2] <= 1.05)).all()


def test_checkpoint_brings_everything_back(tmp_path):
    model = detector(small_mobilenet(96, freeze_batch_norm=True))
    model.save(tmp_path / "detector.keras")
    keras.utils.clear_session()
    loaded = keras.saving.load_model(tmp_path / "detector.keras")
    images = np.random.default_rng(0).integers(0, 255, (2, 96, 96, 3), np.uint8)
    for name, value in model(images).items():
        np.testing.assert_array_equal(loaded(images)[name], value)
    assert (loaded.class_names, loaded.image_size, loaded.nms) == (CLASSES, 96, NMS)
    np.testing.assert_array_equal(loaded.priors, model.priors)
    before, after = (m.get_config() for m in (model, loaded))
    assert all(after[key] == before[key] for key in before if key != "backbone")
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def test_bfloat16_network_gives_float32_outputs():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        outputs = detector(small_mobilenet(96))(np.zeros((1, 96, 96, 3), np.uint8))
    finally:
        keras.config.set_dtype_policy("float32")
    assert {value.dtype for value in outputs.values()} == {tf.float32}


def test_a_mismatch_of_levels_and_ratios_is_explained():
    priors = PriorSpec(SSD300_PRIORS.scales, SSD300_PRIORS.aspect_ratios[:-1], "stride", clip=False)
    with pytest.raises(UserError, match=r"detector\.aspect_ratios has 5 entries, but .* needs 6"):
        detector(small_mobilenet(96), priors=priors)


def test_freezing_until_a_layer_and_of_batch_norms():
    free, part, norms = (
        small_mobilenet(96),
        small_mobilenet(96, freeze_until="block_2_add"),
        small_mobilenet(96, freeze_batch_norm=True),
    )
    assert not part.get_layer("Conv1").trainable
    assert part.get_layer("block_3_expand").trainable
    assert len(part.trainable_variables) < len(free.trainable_variables)
    assert not any("gamma" in variable.path for variable in norms.trainable_variables)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature_layers": ["block4_conv9", "fc7"]}, r"no layer 'block4_conv9'; did you mean 'block4_conv"),
        ({"feature_layers": ["fc7"], "freeze_until": "conv4"}, r"freeze_until: there is no layer 'conv4'"),
    ],
)
def test_unknown_layers_are_explained(arguments, message):
    with pytest.raises(UserError, match=message):
        vgg16(96, None, mean=MEAN, **arguments)


def test_weights_file_of_another_network_is_explained(tmp_path):
    small = keras.applications.MobileNetV2(include_top=False, weights=None, alpha=0.35, input_shape=(96, 96, 3))
    small.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(UserError, match=r"backbone.weights=.*other.weights.h5 does not fit MobileNetV2"):
        mobilenet_v2(96, str(tmp_path / "other.weights.h5"), ["out_relu"], alpha=1.0)


def test_weights_file_is_loaded_under_the_preprocessing(tmp_path):
    source = keras.applications.MobileNetV2(include_top=False, weights=None, alpha=0.35, input_shape=(96, 96, 3))
    source.save_weights(tmp_path / "own.weights.h5")
    backbone = mobilenet_v2(96, str(tmp_path / "own.weights.h5"), ["Conv1", "out_relu"], alpha=0.35)
    images = np.random.default_rng(0).integers(0, 255, (1, 96, 96, 3), np.uint8)
    expected = source(keras.applications.mobilenet_v2.preprocess_input(images.astype(np.float32)))
    np.testing.assert_allclose(backbone(images)[1], expected, atol=1e-4)


def test_mobilenet_v3_is_keras_applications(tmp_path):
    source = keras.applications.MobileNetV3Large(include_top=False, weights=None, input_shape=(224, 224, 3))
    rng = np.random.default_rng(0)
    for layer in source.layers:
        if layer.name.endswith("_bn"):
            layer.set_weights([rng.uniform(0.5, 1.5, array.shape) for array in layer.get_weights()])
    source.save_weights(tmp_path / "own.weights.h5")
    backbone = mobilenet_v3_large(224, str(tmp_path / "own.weights.h5"), ["conv_1_hard_swish", "conv_hard_swish"])
    images = rng.integers(0, 255, (1, 224, 224, 3), np.uint8)
    np.testing.assert_allclose(backbone(images)[0], source(images.astype(np.float32)), rtol=1e-4, atol=1e-5)


def test_mobilenet_v3_with_a_reduced_tail_takes_no_classifiers_weights():
    with pytest.raises(UserError, match="has the full tail of MobileNetV3"):
        mobilenet_v3_large(96, "imagenet", ["conv_1_hard_swish"], reduced_tail=True)


def test_fc6_and_fc7_are_subsampled_from_the_classifier():
    row, column, channel, out = np.meshgrid(*map(np.arange, (7, 7, 512, 4096)), indexing="ij", sparse=True)
    fc1 = ((row * 64 + column * 8 + channel * 3 + out) % 251).astype(np.uint8)  # float32 would need 400 MB
    fc2 = np.arange(4096 * 4096, dtype=np.int32).reshape(4096, 4096)
    layers: dict[str, Any] = {"fc1": [fc1.reshape(-1, 4096), np.arange(4096)], "fc2": [fc2, -np.arange(4096)]}
    found = subsample_classifier(layers | {"block1_conv1": [], "predictions": []})
    assert set(found) == {"block1_conv1", "fc6", "fc7"}
    assert found["fc6"][0].shape == (3, 3, 512, 1024)
    assert found["fc6"][0][2, 1, 300, 1000] == (6 * 64 + 3 * 8 + 300 * 3 + 4000) % 251
    assert found["fc7"][0].shape == (1, 1, 1024, 1024)
    assert found["fc7"][0][0, 0, 5, 6] == 4096 * 20 + 24
    assert (found["fc6"][1][9], found["fc7"][1][9]) == (36, -36)


def test_vgg_preprocessing_is_keras_applications():
    images = np.random.default_rng(0).integers(0, 255, (1, 4, 4, 3), np.uint8)
    ours = Preprocess(1.0, MEAN, bgr=True)(images)
    np.testing.assert_allclose(ours, keras.applications.vgg16.preprocess_input(images.astype(np.float32)), atol=1e-4)


def test_l2norm_scales_each_position_to_its_factor():
    features = np.zeros((1, 1, 2, 2), np.float32)
    features[0, 0, 0] = [3.0, 4.0]  # length 5; the other position is zero and stays so
    np.testing.assert_allclose(L2Norm(20.0)(features)[0, 0], [[12.0, 16.0], [0.0, 0.0]], atol=1e-4)
