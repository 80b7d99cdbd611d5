"""Detectors of other projects give here what they give there: logits, offsets, priors and detections, to 1e-4.

The numbers of torchvision's detectors were computed by torchvision (make_import_references.py). amdegroot's network,
which is no package, is written down once more with TensorFlow's plain functions.
"""

import numpy as np
import pytest
import tensorflow as tf
from numpy.typing import NDArray
from safetensors.numpy import save_file

from parity.differences import largest_difference
from parity.seeded_weights import REFERENCES, SEED, STRIDE, photographs, seeded_state, stored_shapes
from ssd.boxes import centers_to_corners
from ssd.cli.compose import compose_jobs, without_hydra
from ssd.cli.earlier_run import with_earlier_run
from ssd.experiment.build import load_trained
from ssd.experiment.published import load_published
from ssd.inference.detections import Detections
from ssd.inference.keras_network import KerasNetwork
from ssd.models.checkpoint import load_detector
from ssd.models.detector import SSD

TOLERANCE = 1e-4
DETECTORS = {"torchvision_ssd300_vgg16": 35_641_826, "torchvision_ssdlite320": 3_440_060}
SWAP = [1, 0, 3, 2]  # x first ↔ y first


def load(weights: str, *overrides: str) -> SSD:
    """The detector as `task=predict weights=...` builds it."""
    line = with_earlier_run([f"weights={weights}", "task=predict", "source=.", *overrides], multirun=False)
    (cfg,) = compose_jobs(line, multirun=False)
    return load_trained(without_hydra(cfg))


@pytest.fixture(scope="module", params=DETECTORS)
def imported(request, tmp_path_factory):
    """(name, the imported detector, the reference's numbers)."""
    name = request.param
    file = tmp_path_factory.mktemp("weights") / f"{name}.safetensors"
    save_file(seeded_state(stored_shapes(name), SEED), file)
    return name, load(f"torchvision:{file}"), np.load(REFERENCES / f"{name}.npz")


def test_the_python_api_builds_the_same_network(imported, tmp_path):
    name, model, _ = imported
    if name == "torchvision_ssd300_vgg16":
        pytest.skip("the same way, with ten times the weights")
    file = tmp_path / "weights.safetensors"
    save_file(seeded_state(stored_shapes(name), SEED), file)
    again = load_published(f"torchvision:{file}")
    assert again.nms == model.nms
    assert again.class_names == model.class_names
    np.testing.assert_array_equal(again.priors, model.priors)
    for one, other in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_logits_offsets_and_priors(imported):
    name, model, reference = imported
    outputs = {key: value.numpy() for key, value in model(np.stack(photographs(model.image_size))).items()}
    for what, ours, theirs in (
        ("logits", outputs["logits"][:, ::STRIDE], reference["logits"]),
        ("offsets", outputs["offsets"][:, ::STRIDE][..., SWAP], reference["offsets"]),
        ("priors", centers_to_corners(model.priors)[::STRIDE, SWAP], reference["priors"]),
    ):
        assert largest_difference(f"import of {name}, {what}", ours, theirs) < TOLERANCE


def test_detections(imported):
    name, model, reference = imported
    found = KerasNetwork(model, batch_size=2)(np.stack(photographs(model.image_size)), model.nms.score_threshold)
    for index, ours in enumerate(found):
        boxes, labels, scores = (reference[f"{key}_{index}"] for key in ("boxes", "labels", "scores"))
        theirs = Detections(boxes[:, SWAP] / model.image_size, labels - 1, scores)
        assert len(ours) == len(theirs) == model.nms.max_detections
        order = nearest(ours, theirs)
        assert sorted(order) == list(range(len(theirs)))
        np.testing.assert_array_equal(ours.labels, theirs.labels[order])
        assert largest_difference(f"import of {name}, scores", ours.scores, theirs.scores[order]) < TOLERANCE
        assert largest_difference(f"import of {name}, boxes", ours.boxes, theirs.boxes[order]) < TOLERANCE


def nearest(ours: Detections, theirs: Detections) -> NDArray[np.int64]:
    """For each of our detections the most similar one of theirs: nearly equal scores may change places."""
    far = (
        np.abs(ours.boxes[:, None] - theirs.boxes[None]).max(axis=-1)
        + np.abs(ours.scores[:, None] - theirs.scores[None])
        + (ours.labels[:, None] != theirs.labels[None])
    )
    return far.argmin(axis=1)


def test_all_of_it_was_imported(imported):
    name, model, _ = imported
    assert sum(int(np.prod(v.shape)) for v in model.trainable_variables) == DETECTORS[name]
    assert len(model.class_names) == 90
    assert (model.class_names[0], model.class_names[11], model.class_names[89]) == ("person", "N/A 12", "toothbrush")


def amdegroot_shapes() -> dict[str, list[int]]:
    """Names and shapes of amdegroot's ssd300 for VOC (ssd.py: vgg, L2Norm, extras, loc, conf)."""
    convolutions = {}
    channels = 3
    body = {0: 64, 2: 64, 5: 128, 7: 128, 10: 256, 12: 256, 14: 256, 17: 512, 19: 512, 21: 512, 24: 512, 26: 512}
    for index, filters in (body | {28: 512}).items():
        convolutions[f"vgg.{index}"] = [filters, channels, 3, 3]
        channels = filters
    convolutions |= {"vgg.31": [1024, 512, 3, 3], "vgg.33": [1024, 1024, 1, 1]}
    channels = 1024
    for index, (filters, kernel) in enumerate([(256, 1), (512, 3), (128, 1), (256, 3)] + [(128, 1), (256, 3)] * 2):
        convolutions[f"extras.{index}"] = [filters, channels, kernel, kernel]
        channels = filters
    for level, (channels, shapes) in enumerate(zip((512, 1024, 512, 256, 256, 256), (4, 6, 6, 6, 4, 4), strict=True)):
        convolutions[f"loc.{level}"] = [4 * shapes, channels, 3, 3]
        convolutions[f"conf.{level}"] = [21 * shapes, channels, 3, 3]
    state = {"L2Norm.weight": [512]}
    for name, shape in convolutions.items():
        state |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return state


def amdegroot_network(state: dict[str, NDArray], photos: list[NDArray]) -> tuple[NDArray, NDArray]:
    """Logits and offsets (dx, dy, dw, dh), layer by layer as ssd.py's `forward`."""

    def convolve(features, name, stride=1, padding=0, dilation=1):
        padded = tf.pad(features, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
        kernel = state[f"{name}.weight"].transpose(2, 3, 1, 0)
        return tf.nn.conv2d(padded, kernel, stride, "VALID", dilations=dilation) + state[f"{name}.bias"]

    hidden = tf.constant(np.stack(photos).astype(np.float32) - [123, 117, 104], tf.float32)
    maps = []
    for block in ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)):
        for index in block:
            hidden = tf.nn.relu(convolve(hidden, f"vgg.{index}", padding=1))
        if block[-1] == 21:
            norm = tf.sqrt(tf.reduce_sum(hidden**2, axis=-1, keepdims=True)) + 1e-10
            maps.append(hidden / norm * state["L2Norm.weight"])
        size = (3, 1) if block[-1] == 28 else (2, 2)  # kernel and stride; SAME rounds up, as the third pool's ceil_mode
        hidden = tf.nn.max_pool2d(hidden, *size, "SAME")
    hidden = tf.nn.relu(convolve(hidden, "vgg.31", padding=6, dilation=6))
    hidden = tf.nn.relu(convolve(hidden, "vgg.33"))
    maps.append(hidden)
    for index in range(8):
        strided = index in (1, 3)
        hidden = tf.nn.relu(
            convolve(hidden, f"extras.{index}", stride=2 if strided else 1, padding=1 if strided else 0)
        )
        if index % 2:
            maps.append(hidden)
    logits, offsets = (
        tf.concat(
            [tf.reshape(convolve(m, f"{head}.{k}", padding=1), [len(photos), -1, n]) for k, m in enumerate(maps)], 1
        ).numpy()
        for head, n in (("conf", 21), ("loc", 4))
    )
    return logits, offsets


def test_amdegroot(tmp_path):
    state = seeded_state(amdegroot_shapes(), SEED)
    save_file(state, tmp_path / "ssd300.safetensors")
    model = load(f"amdegroot:{tmp_path}/ssd300.safetensors")
    photos = photographs(300)
    logits, offsets = amdegroot_network(state, photos)
    outputs = {key: value.numpy() for key, value in model(np.stack(photos)).items()}
    for what, ours, theirs in (
        ("logits", outputs["logits"], logits),
        ("offsets", outputs["offsets"][..., SWAP], offsets),
    ):
        assert largest_difference(f"import of amdegroot, {what}", ours, theirs) < TOLERANCE
    assert model.class_names[0] == "aeroplane"
    assert len(model.class_names) == 20


def test_checkpoint_of_an_imported_detector_is_the_same_detector(imported, tmp_path):
    _, model, _ = imported
    model.save(tmp_path / "best.keras")
    again = load_detector(tmp_path / "best.keras")
    image = np.stack(photographs(model.image_size)[:1])
    (first,), (second,) = (KerasNetwork(one)(image, model.nms.score_threshold) for one in (model, again))
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.labels, second.labels)
