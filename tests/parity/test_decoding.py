"""Decoding and NMS against torchvision's `SSD.postprocess_detections`, with the settings of its two detectors."""

import numpy as np
import pytest
import tensorflow as tf

from parity.detectors import detector
from parity.differences import largest_difference
from parity.inputs import REFERENCES, checksum, decoding_batch
from ssd.inference.decoder import Decoder, to_detections
from ssd.models.box_coder import BoxCoder
from ssd.models.detector import NMSSettings

SWAP = [1, 0, 3, 2]  # x first ↔ y first
DETECTORS = {
    "ssd300": (300, ["backbone=vgg16", "detector=ssd300_coco", "detector.clip_priors=true"]),
    "ssdlite320": (320, ["backbone=mobilenet_v2", "detector=ssdlite320"]),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_detections_are_torchvisions(name):
    """90 classes; boxes moved out of the image, shrunk to nothing, larger than the limit; an image without any."""
    side, overrides = DETECTORS[name]
    stored = np.load(REFERENCES / f"decoding_{name}.npz")
    model = detector(*overrides)
    nms = model.nms
    assert (nms.score_threshold, nms.iou, nms.max_per_class, nms.max_detections) == tuple(stored["settings"])
    batch = decoding_batch(len(model.priors), 90)
    assert checksum(batch.offsets, batch.logits) == stored["checksum"]
    decoder = Decoder(model.box_coder, nms)
    found = to_detections(decoder(tf.constant(batch.offsets[..., SWAP]), tf.constant(batch.logits)))
    assert [len(one) for one in found] == stored["counts"].tolist() == [nms.max_detections] * 2 + [0]
    image = np.repeat(np.arange(3), stored["counts"])
    scores = np.concatenate([one.scores for one in found])
    assert largest_difference(f"scores {name}", scores, stored["scores"]) < 1e-6
    # Class by class: rounding may let two classes with scores 1e-6 apart change places.
    labels = np.concatenate([one.labels for one in found]) + 1  # background is 0 there
    ours, theirs = np.lexsort((-scores, labels, image)), np.lexsort((-stored["scores"], stored["labels"], image))
    assert labels[ours].tolist() == stored["labels"][theirs].tolist()
    boxes = np.concatenate([one.boxes for one in found])[ours][:, SWAP]
    assert largest_difference(f"boxes {name}, of the image", boxes, stored["boxes"][theirs] / side) < 1e-6


def test_boxes_are_compared_as_the_image_shows_them():
    """Half of the first lies outside: clipped, it is the second, which therefore goes."""
    priors = np.array([[0.0, 0.5, 0.4, 0.4], [0.1, 0.5, 0.2, 0.4]], np.float32)
    decoder = Decoder(BoxCoder(priors, (0.1, 0.1, 0.2, 0.2)), NMSSettings(0.1, 0.6, 10, 10))
    (found,) = to_detections(decoder(tf.zeros((1, 2, 4)), tf.constant([[[0.0, 3.0], [0.0, 2.0]]])))
    np.testing.assert_allclose(found.boxes, [[0.0, 0.3, 0.2, 0.7]], atol=1e-6)


def test_thresholds_are_strict_as_torchvisions():
    """A score equal to the threshold is dropped; of two boxes whose IoU equals `iou` both stay."""
    priors = np.array([[0.25, 0.25, 0.5, 0.5], [0.125, 0.25, 0.25, 0.5], [0.75, 0.75, 0.5, 0.5]], np.float32)
    logits = tf.constant([[[0.0, 2.0], [0.0, 1.0], [0.0, 0.0]]])  # the last has score one half

    def found(score_threshold: float, iou: float) -> int:
        decoder = Decoder(BoxCoder(priors, (0.1, 0.1, 0.2, 0.2)), NMSSettings(score_threshold, iou, 10, 10))
        return len(to_detections(decoder(tf.zeros((1, 3, 4)), logits))[0])

    assert found(0.5, 0.5) == 2
    assert found(0.499, 0.5) == 3
    assert found(0.499, 0.499) == 2
