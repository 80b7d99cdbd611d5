"""Counted arithmetic against sums made by hand and published figures; time taken in turns."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers.fake_detector import make_detector
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.errors import UserError
from ssd.experiment.build import build_detector
from ssd.inference import load
from ssd.inference.cost import count_flops, latencies, measure_cost, shortest_seconds

layers = keras.layers


def flops(model: keras.Model) -> int:
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    return count_flops(tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph)


@pytest.mark.parametrize(
    ("layer", "multiply_adds"),
    [  # on an image of 12 x 8 with 6 channels: positions x kernel x channels in x channels out
        (layers.Conv2D(5, 3, padding="same"), 12 * 8 * 9 * 6 * 5),
        (layers.Conv2D(5, 3), 10 * 6 * 9 * 6 * 5),
        (layers.Conv2D(5, (1, 3), strides=2, padding="same"), 6 * 4 * 3 * 6 * 5),
        (layers.Conv2D(5, 3, dilation_rate=3, padding="same"), 12 * 8 * 9 * 6 * 5),
        (layers.Conv2D(4, 3, groups=2, padding="same"), 12 * 8 * 9 * 3 * 4),
        (layers.DepthwiseConv2D(3, padding="same"), 12 * 8 * 9 * 6),
        (layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), 12 * 8 * 9 * 12),
        (layers.SeparableConv2D(5, 3, strides=2, padding="same"), 6 * 4 * 9 * 6 + 6 * 4 * 6 * 5),
        (layers.Conv2DTranspose(5, 2, strides=2), 12 * 8 * 4 * 6 * 5),
        (layers.Dense(7), 12 * 8 * 6 * 7),
        (layers.BatchNormalization(), 0),
        (layers.ReLU(), 0),
    ],
)
def test_layers_by_hand(layer: keras.Layer, multiply_adds: int) -> None:
    image = keras.Input((12, 8, 6))
    assert flops(keras.Model(image, layer(image))) == 2 * multiply_adds


def test_a_layer_used_twice_counts_twice_also_inside_another_model() -> None:
    shared = layers.Conv2D(6, 3, padding="same")
    anywhere = keras.Input((None, None, 6))
    inner = keras.Model(anywhere, shared(anywhere))
    image = keras.Input((12, 8, 6))
    assert flops(keras.Model(image, [inner(image), shared(layers.MaxPooling2D()(image))])) == 2 * 9 * 36 * (96 + 24)


def detector(*overrides: str, classes: int) -> keras.Model:
    (job,) = compose_jobs(["backbone.weights=null", *overrides], multirun=False)
    return build_detector(without_hydra(job), tuple(f"class {k}" for k in range(classes)))


def detector_flops(model: keras.Model) -> int:
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.uint8)
    return count_flops(tf.function(lambda x: model(x, training=False)).get_concrete_function(image).graph)


def test_ssd300_on_vgg16_by_hand() -> None:
    """Table of the paper's network for VOC: 31.4 billion multiply-adds, 62.7 GFLOPs."""
    body = [  # side of the output, kernel, channels in, channels out
        *((300, 3, 3, 64), (300, 3, 64, 64), (150, 3, 64, 128), (150, 3, 128, 128)),
        *((75, 3, 128, 256), (75, 3, 256, 256), (75, 3, 256, 256)),
        *((38, 3, 256, 512), (38, 3, 512, 512), (38, 3, 512, 512)),
        *((19, 3, 512, 512), (19, 3, 512, 512), (19, 3, 512, 512)),
        *((19, 3, 512, 1024), (19, 1, 1024, 1024)),
        *((19, 1, 1024, 256), (10, 3, 256, 512), (10, 1, 512, 128), (5, 3, 128, 256)),
        *((5, 1, 256, 128), (3, 3, 128, 256), (3, 1, 256, 128), (1, 3, 128, 256)),
    ]
    maps = [(38, 512, 4), (19, 1024, 6), (10, 512, 6), (5, 256, 6), (3, 256, 4), (1, 256, 4)]  # side, channels, priors
    heads = [(side, 3, channels, priors * (4 + 21)) for side, channels, priors in maps]
    multiply_adds = sum(side**2 * kernel**2 * into * out for side, kernel, into, out in body + heads)
    assert detector_flops(detector("backbone=vgg16", "detector=ssd300", classes=20)) == 2 * multiply_adds
    assert 2 * multiply_adds == pytest.approx(62.7e9, rel=1e-3)


def test_ssdlite_as_torchvision_publishes_it() -> None:
    """`_ops` of SSDLite320_MobileNet_V3_Large_Weights.COCO_V1 (torchvision 0.20): 0.583 billion multiply-adds."""
    overrides = ("backbone=mobilenet_v3_large", "backbone.reduced_tail=true", "backbone.symmetric_padding=true")
    model = detector(*overrides, "detector=ssdlite320", classes=90)
    assert detector_flops(model) / 2e9 == pytest.approx(0.583, abs=5e-4)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_cost_of_a_detector_in_every_precision(precision: str) -> None:
    keras.config.set_dtype_policy(precision)
    try:
        model = make_detector()
    finally:
        keras.config.set_dtype_policy("float32")
    cost = measure_cost(model)
    # 3 to 4 channels and, with two classes, (4 + 3) values for each of 4 priors, at 4 x 4 positions
    assert cost.gflops == pytest.approx(2e-9 * 16 * 9 * (3 * 4 + 4 * 4 * 7))
    assert cost.parameters == 9 * 3 * 4 + 4 + 9 * 4 * 4 * 7 + 4 * 7


class Clock:
    """Time that passes only in the actions, on one core that others may keep busy as well."""

    def __init__(self) -> None:
        self.now = self.others = 0.0
        self.calls: list[str] = []

    def action(self, name: str, *seconds: float, others: Sequence[float] = (0.0,)) -> Callable[[], None]:
        """Takes so many seconds, call after call, the last for all that follow; others have that part of a core."""

        def run() -> None:
            number = self.calls.count(name)
            took = seconds[min(number, len(seconds) - 1)]
            self.now += took
            self.others += took * others[min(number, len(others) - 1)]
            self.calls.append(name)

        return run

    def read(self) -> load.Clock:
        """With all of the time that was not others' as this process' own."""
        return load.Clock(wall=self.now, busy=self.now + self.others, own=self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("ssd.inference.cost.perf_counter", lambda: found.now)
    monkeypatch.setattr("ssd.inference.cost.clock", found.read)
    monkeypatch.setattr("ssd.inference.load.available_cores", lambda: 1)
    monkeypatch.setattr("ssd.inference.cost.TURNS", 2)
    return found


def test_detectors_are_timed_in_turns_and_the_shortest_time_counts(clock: Clock) -> None:
    found = shortest_seconds([clock.action("a", 9.0, 0.5, 0.25, 0.5), clock.action("b", 0.125)])
    assert found == [0.25, 0.125]
    assert clock.calls == ["a", "b", *("a", "b", "b", "a", "b", "b")]  # a turn lasts a quarter of a second


def test_a_turn_that_others_disturb_does_not_count(clock: Clock) -> None:
    disturbed = (0.0, 0.0, 0.5, 0.0, 0.0)
    assert shortest_seconds([clock.action("a", 9.0, 0.5, 0.25, 0.5, others=disturbed)]) == [0.5]
    assert len(clock.calls) == 1 + 3


def test_a_busy_machine_is_one_sentence(clock: Clock) -> None:
    with pytest.raises(UserError, match="other processes keep the machine too busy to measure latency"):
        shortest_seconds([clock.action("a", 0.25, others=(0.2,))])
    assert 19 < clock.now < 22


def test_latency_of_a_detector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssd.inference.cost.TURNS", 1)
    monkeypatch.setattr("ssd.inference.cost.DISTURBED", 1.0)
    (found,) = latencies([(make_detector(), np.zeros((20, 40, 3), np.uint8))])
    assert 0 < found < 10_000
