"""Fine-tuning: which weights of another detector a new one keeps."""

import keras
import numpy as np
import pytest

from ssd.errors import UserError
from ssd.models.backbones import mobilenet_v2
from ssd.models.detector import SSD, NMSSettings, PriorSpec
from ssd.models.extras import ExtraLevel
from ssd.weights.transfer import Transfer, match_classes, transfer, weights_of

IMAGE = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), np.uint8)


def small_backbone(width):
    """Two maps, behind three convolutions with batch norm."""
    images = keras.Input((64, 64, 3), dtype="uint8")
    hidden, maps = keras.layers.Rescaling(1 / 127.5, -1.0)(images), []
    for number, filters in enumerate((8, 16, width)):
        hidden = keras.layers.Conv2D(filters, 3, strides=2, padding="same", name=f"conv_{number}")(hidden)
        hidden = keras.layers.BatchNormalization(name=f"norm_{number}")(hidden)
        hidden = keras.layers.ReLU()(hidden)
        maps.append(hidden)
    return keras.Model(images, maps[1:], name="small")


def detector(classes, seed, ratios=((2.0,), (2.0,), (2.0,)), width=24, separable=False, filters=32, backbone=None):
    keras.utils.set_random_seed(seed)
    backbone = backbone or small_backbone(width)
    scales = tuple(np.linspace(0.2, 1.0, len(ratios) + 1))
    priors = PriorSpec(scales, ratios, "feature_map", clip=False)
    nms = NMSSettings(0.01, 0.45, 400, 200)
    extras = [ExtraLevel(16, filters, 3, 2, 1)]
    model = SSD(backbone, classes, extras, priors, (0.1, 0.1, 0.2, 0.2), separable, nms)
    for layer in model.layers:
        if layer.name.startswith("class_head"):  # logits of a size that can be told apart
            layer.set_weights([1e4 * array if array.ndim == 4 else array for array in layer.get_weights()])
    return model


def logits_by_class(model):
    values = model(IMAGE)["logits"].numpy()[0]
    return dict(zip(("background", *model.class_names), values.T, strict=True))


@pytest.mark.parametrize("separable", [False, True])
def test_classes_of_the_same_name_keep_their_rows(separable):
    old = detector(("cat", "dog", "dining table"), 1, separable=separable)
    new = detector(("hen", "diningtable", "Cat"), 2, separable=separable)
    before = logits_by_class(new)
    report = transfer(weights_of(old, "old"), new)
    ours, theirs = logits_by_class(new), logits_by_class(old)
    for name, other in (("background", "background"), ("diningtable", "dining table"), ("Cat", "cat")):
        np.testing.assert_allclose(ours[name], theirs[other], rtol=1e-5, atol=1e-6)
    assert np.abs(ours["hen"] - theirs["dog"]).max() > 1e-3
    assert np.isfinite(ours["hen"]).all()
    assert np.abs(ours["hen"] - before["hen"]).max() > 0  # its own row, on the old features
    np.testing.assert_allclose(new(IMAGE)["offsets"], old(IMAGE)["offsets"], rtol=1e-5, atol=1e-6)
    assert report.classes == {"hen": None, "diningtable": "dining table", "Cat": "cat"}
    assert (report.fresh, report.complete) == ((), False)
    assert (
        "the class heads with the rows of background, diningtable (from dining table), Cat (from cat)"
        in report.describe()
    )
    assert "new classes, from their initial values: hen" in report.describe()
    assert report.of_classes() == (
        "its rows of diningtable (from dining table), Cat (from cat) are kept; 1 class starts anew"
    )


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        ({"a": None, "b": None, "c": None}, "3 classes start anew"),
        ({"cat": "cat"}, "its rows of cat are kept"),
    ],
)
def test_what_is_said_of_the_classes(classes, said):
    assert Transfer((), (), classes).of_classes() == said


def test_the_same_classes_give_the_same_detector():
    layers = ["block_6_expand_relu", "block_13_expand_relu"]
    old, new = (detector(("cat", "dog"), seed, backbone=mobilenet_v2(64, None, layers, alpha=0.35)) for seed in (1, 2))
    assert transfer(weights_of(old, "old"), new).complete
    for name, value in old(IMAGE).items():
        np.testing.assert_array_equal(new(IMAGE)[name], value)


def test_heads_of_another_shape_start_anew_and_it_says_so():
    old = detector(("cat", "dog"), 1)
    new = detector(("cat", "dog"), 2, ratios=((2.0, 3.0), (2.0,), (2.0,)))
    initial = new.get_layer("class_head_0").get_weights()[0]
    report = transfer(weights_of(old, "old"), new)
    assert set(report.fresh) == {"box_head_0", "class_head_0"}
    assert "from their initial values, as their shape is another: " + ", ".join(report.fresh) in report.describe()
    np.testing.assert_array_equal(new.get_layer("class_head_0").get_weights()[0], initial)
    np.testing.assert_array_equal(
        new.get_layer("class_head_1").get_weights()[0], old.get_layer("class_head_1").get_weights()[0]
    )


def test_extra_levels_of_another_shape_start_anew():
    old, new = detector(("cat",), 1), detector(("cat",), 2, filters=48)
    assert {"extra_0", "class_head_2", "box_head_2"} == set(transfer(weights_of(old, "old"), new).fresh)


def test_no_class_is_kept_where_no_head_is():
    ratios = ((2.0, 3.0),) * 3
    report = transfer(weights_of(detector(("cat",), 1), "old"), detector(("cat",), 2, ratios=ratios))
    assert report.classes == {"cat": None}


def test_another_backbone_is_refused():
    with pytest.raises(UserError, match=r"old does not fit backbone=small \(at its layer conv_2\)"):
        transfer(weights_of(detector(("cat",), 1), "old"), detector(("cat",), 2, width=32))


def test_names_of_voc_and_coco():
    voc = ("aeroplane", "diningtable", "motorbike", "pottedplant", "sofa", "tvmonitor", "person", "unicorn")
    coco = ("person", "airplane", "dining table", "motorcycle", "potted plant", "couch", "tv")
    assert list(match_classes(voc, coco).values()) == [
        "airplane", "dining table", "motorcycle", "potted plant", "couch", "tv", "person", None
    ]  # fmt: skip
    assert match_classes(("tv", "TV"), ("TV", "tv")) == {"tv": "tv", "TV": "TV"}
