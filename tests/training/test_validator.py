"""The validation of a training: the same in Keras and in OpenVINO, with the weights of now; and which it takes."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from helpers.batches import five_batches
from helpers.fake_detector import make_detector
from ssd.cluster import Member
from ssd.data.pipeline import Batches
from ssd.errors import UserError
from ssd.evaluation.validation import Validation
from ssd.export.differences import differences
from ssd.inference import runtimes
from ssd.inference.keras_network import KerasNetwork
from ssd.models.detector import SSD
from ssd.training.converted_network import ConvertedNetwork
from ssd.training.loss import MultiBoxLoss
from ssd.training.targets import TargetEncoder
from ssd.training.validator import Validator, choose_validation_runtime, validation_network


@pytest.fixture
def batches() -> Batches:
    return five_batches()


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """And no GPU."""
    monkeypatch.setattr(runtimes, "may_have_gpu", lambda: False)


def test_openvino_validates_as_keras_does_with_the_weights_of_now(processor: None, batches: Batches) -> None:
    model = make_detector()
    encode, loss = TargetEncoder(model.box_coder, 0.5), MultiBoxLoss(3.0, 1.0)
    kinds = [choose_validation_runtime(runtime, model, 5) for runtime in ("keras", "openvino")]
    validators = [
        Validator(model, encode, loss, batches, 0.5, validation_network(kind, model, batches.batch_size))
        for kind in kinds
    ]
    assert isinstance(validators[1].network, ConvertedNetwork)
    before = None
    for _ in range(2):
        (losses, found), (same_losses, same_found) = (validator() for validator in validators)
        assert same_losses == pytest.approx(losses, abs=1e-4)
        assert same_found.evaluation.metrics == pytest.approx(found.evaluation.metrics, abs=1e-4)
        difference = differences(found.detections, same_found.detections, model.nms, least=0.0)
        assert (difference.detections, difference.missing, difference.extra) == (25, 0, 0)
        assert max(difference.box, difference.score) < 1e-4
        again = validators[1]()
        assert again[0] == same_losses  # to the last bit
        for one, other in zip(again[1].detections, same_found.detections, strict=True):
            np.testing.assert_array_equal(one.boxes, other.boxes)
        assert losses != before
        before = losses
        head = model.get_layer("class_head_0")
        head.kernel.assign(-2 * head.kernel)  # as a training changes them


def with_depthwise() -> SSD:
    model = make_detector()
    image = keras.Input((32, 32, 3), dtype="uint8")
    backbone = keras.Model(image, [keras.layers.DepthwiseConv2D(3, padding="same")(model.backbone(image)[0])])
    return SSD(backbone, ["disc", "box"], [], model.prior_spec, (0.1, 0.1, 0.2, 0.2), False, model.nms)


def test_auto_goes_by_the_network_and_the_number_of_images(processor: None) -> None:
    def chosen(model: SSD, images: int, runtime: str = "auto") -> str:
        return choose_validation_runtime(runtime, model, images).in_words()

    few = "keras in float32 (auto: 499 images are too few to convert the network for)"
    assert chosen(with_depthwise(), 499) == few
    assert chosen(with_depthwise(), 500) == "openvino in float32 (auto: no GPU here)"
    assert chosen(make_detector(), 5000).startswith("keras in float32 (auto: openvino is hardly faster")
    assert chosen(make_detector(), 1, "openvino") == "openvino in float32 (as configured)"
    assert chosen(with_depthwise(), 5000, "keras") == "keras in float32 (as configured)"


def test_a_gpu_validates_in_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "may_have_gpu", lambda: True)
    monkeypatch.setattr("ssd.device.has_gpu", lambda: True)
    assert choose_validation_runtime("auto", with_depthwise(), 5000).runtime == "keras"


def test_runtimes_that_take_longer_to_convert_are_refused() -> None:
    with pytest.raises(UserError, match="runtime=litert is not for trainings: choose auto, keras or openvino"):
        choose_validation_runtime("litert", make_detector(), 5000)


def test_two_processes_find_together_what_one_finds() -> None:
    model = make_detector()
    encode, loss = TargetEncoder(model.box_coder, 0.5), MultiBoxLoss(3.0, 1.0)
    sent: list[np.ndarray] = []  # by the second process, in the order of its collective operations

    def run(batches: Batches, gather: Callable[[np.ndarray], np.ndarray]) -> tuple[dict[str, float], Validation]:
        return Validator(model, encode, loss, batches, 0.5, KerasNetwork(model), gather)()

    def send(rows: np.ndarray) -> np.ndarray:
        sent.append(rows)
        return rows

    run(five_batches(Member(1, 2)), send)
    losses, found = run(five_batches(Member(0, 2)), lambda rows: np.concatenate([rows, sent.pop(0)]))
    expected, undivided = run(five_batches(), lambda rows: rows)
    assert losses == pytest.approx(expected, rel=1e-5)
    assert found.evaluation.metrics == undivided.evaluation.metrics
    for ours, theirs in zip(found.detections, undivided.detections, strict=True):
        for part in ("boxes", "labels", "scores"):
            np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))
