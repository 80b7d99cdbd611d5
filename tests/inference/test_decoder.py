"""Decoding: thresholds, per-class NMS and limits."""

import numpy as np
import pytest
import tensorflow as tf

from ssd.inference.decoder import Decoder, to_detections
from ssd.models.box_coder import BoxCoder
from ssd.models.detector import NMSSettings

PRIORS = np.array(
    [[0.5, 0.25, 0.4, 0.4], [0.5, 0.26, 0.4, 0.4], [0.5, 0.75, 0.4, 0.4], [0.0, 0.0, 0.2, 0.2]], np.float32
)


def decode(probabilities, score_threshold=0.1, iou=0.45, max_per_class=400, max_detections=200):
    """Detections of one image whose priors have these class probabilities, background first."""
    decoder = Decoder(
        BoxCoder(PRIORS, (0.1, 0.1, 0.2, 0.2)), NMSSettings(score_threshold, iou, max_per_class, max_detections)
    )
    logits = tf.math.log(tf.constant([probabilities], tf.float32) + 1e-9)
    (found,) = to_detections(decoder(tf.zeros((1, 4, 4)), logits))
    return found


BACKGROUND = [1.0, 0.0, 0.0]


def test_overlapping_detections_of_a_class_are_suppressed():
    found = decode([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0], BACKGROUND])
    assert found.labels.tolist() == [0, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.7], atol=1e-5)
    np.testing.assert_allclose(found.boxes, [[0.3, 0.05, 0.7, 0.45], [0.3, 0.55, 0.7, 0.95]], atol=1e-5)


def test_classes_do_not_suppress_each_other_and_a_prior_may_have_two():
    found = decode([[0.1, 0.5, 0.4], BACKGROUND, BACKGROUND, BACKGROUND])
    assert found.labels.tolist() == [0, 1]
    np.testing.assert_allclose(found.boxes[0], found.boxes[1])


def test_score_threshold():
    assert len(decode([[0.6, 0.4, 0.0], BACKGROUND, BACKGROUND, BACKGROUND], score_threshold=0.5)) == 0


def test_only_the_best_of_a_class_enter_nms():
    found = decode([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0], BACKGROUND], max_per_class=2)
    np.testing.assert_allclose(found.scores, [0.9], atol=1e-5)  # the third is left out before NMS removes the second


def test_at_most_so_many_per_image_best_first():
    found = decode([[0.3, 0.4, 0.3], BACKGROUND, [0.1, 0.2, 0.7], BACKGROUND], max_detections=2)
    np.testing.assert_allclose(found.scores, [0.7, 0.4], atol=1e-5)


def test_boxes_are_clipped_to_the_image():
    found = decode([BACKGROUND, BACKGROUND, BACKGROUND, [0.1, 0.9, 0.0]])
    np.testing.assert_allclose(found.boxes, [[0.0, 0.0, 0.1, 0.1]], atol=1e-6)


def test_above_keeps_the_order():
    found = decode([[0.1, 0.9, 0.0], BACKGROUND, [0.3, 0.7, 0.0], BACKGROUND])
    assert found.above(0.8).scores.tolist() == pytest.approx([0.9], abs=1e-5)


@pytest.mark.parametrize("background", [0.0, 4.0, 30.0], ids=["all priors", "few", "none"])
def test_leaving_out_the_priors_below_the_threshold_changes_nothing(background):
    """Against NMS on all priors, with equal scores, in a batch of images that differ much."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0.1, 0.9, (60, 2))
    coder = BoxCoder(np.concatenate([corners, np.full((60, 2), 0.3)], axis=1).astype(np.float32), (0.1, 0.1, 0.2, 0.2))
    logits = np.round(rng.normal(0, 2, (3, 60, 4))).astype(np.float32)
    logits[:, :, 0] += np.array([background, background / 2, 2 * background])[:, None]
    decoded = Decoder(coder, NMSSettings(0.05, 0.5, 20, 30))(tf.zeros((3, 60, 4)), tf.constant(logits))
    scores, boxes = tf.nn.softmax(logits)[..., 1:], tf.clip_by_value(coder.corners, 0.0, 1.0)
    best, prior = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), 20)
    expected = tf.image.combined_non_max_suppression(
        tf.transpose(tf.gather(boxes, prior), [0, 2, 1, 3]), tf.transpose(best, [0, 2, 1]), 20, 30, 0.5, 0.05
    )
    np.testing.assert_allclose(decoded["boxes"], expected.nmsed_boxes, atol=1e-6)
    np.testing.assert_array_equal(decoded["scores"], expected.nmsed_scores)
    np.testing.assert_array_equal(decoded["labels"], expected.nmsed_classes)
    np.testing.assert_array_equal(decoded["count"], expected.valid_detections)
