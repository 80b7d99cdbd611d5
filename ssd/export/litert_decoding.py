"""Decoding and NMS in LiteRT's operations, as `ssd.inference.decoder.Decoder` does them."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ssd.models.detector import SSD, NMSSettings

# LiteRT's operation refuses boxes without an area, and of clipped ones some have none.
_SMALLEST = 1e-5

Tensors = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def detections(model: SSD, offsets: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Offsets (1, P, 4) and logits (1, P, C + 1) → what MediaPipe's Object Detector expects.

    LiteRT's NMS could decode boxes itself, but does not clip them, nor limit how many of a class enter; and with T
    threads it loses all detections of class T. So it gets the best boxes of each class, decoded and clipped, as boxes
    of one single class. Those of different classes do not meet, because each class lies two images below the one
    before.

    Returns:
        boxes (1, K, 4) float32, labels (1, K) float32, scores (1, K) float32, count (1,) float32.
    """
    classes = len(model.class_names)
    most = min(model.nms.max_per_class, len(model.priors))
    with tf.name_scope("decoding"):
        corners = tf.clip_by_value(model.box_coder.decode(offsets), 0.0, 1.0)[0]
        best, prior = tf.math.top_k(tf.transpose(tf.nn.softmax(logits), [0, 2, 1]), most)
        boxes = tf.gather(corners, tf.reshape(prior[0, 1:], [-1]))
        below = np.repeat(2.0 * np.arange(classes), most)[:, None] * np.array([1.0, 0.0])
        centers = (boxes[:, :2] + boxes[:, 2:]) / 2 + below.astype(np.float32)
        sizes = tf.math.log(tf.maximum(boxes[:, 2:] - boxes[:, :2], _SMALLEST))
        encoded = tf.concat([centers, sizes], axis=-1)[None]
        scores = tf.reshape(best[:, 1:], [1, classes * most, 1])
    square = np.tile(np.array([0.0, 0.0, 1.0, 1.0], np.float32), (classes * most, 1))  # cy, cx, height, width
    found, _, scores, count = _postprocess(model.nms)(encoded, scores, square)
    with tf.name_scope("decoding"):
        label = tf.floor((found[..., 0] + found[..., 2]) / 4 + 0.25)
        low = tf.stack([2 * label, tf.zeros_like(label)] * 2, axis=-1)
        return {"boxes": tf.clip_by_value(found - low, 0.0, 1.0), "labels": label, "scores": scores, "count": count}


def _postprocess(nms: NMSSettings) -> Callable[..., Tensors]:
    """A function that stands for LiteRT's operation: the converter puts that in its place."""
    attributes = {
        "max_detections": f"i: {nms.max_detections}",
        "max_classes_per_detection": "i: 1",
        "use_regular_nms": "b: false",
        "nms_score_threshold": f"f: {float(nms.score_threshold)}",
        "nms_iou_threshold": f"f: {float(nms.iou)}",
        "num_classes": "i: 1",
        **{f"{side}_scale": "f: 1.0" for side in "yxhw"},
    }
    values = " ".join(f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attributes.items())
    count = nms.max_detections

    @tf.function(experimental_implements=f'name: "TFLite_Detection_PostProcess" {values}')
    def postprocess(encoded: tf.Tensor, scores: tf.Tensor, anchors: tf.Tensor) -> Tensors:
        return tf.zeros((1, count, 4)), tf.zeros((1, count)), tf.zeros((1, count)), tf.zeros((1,))

    return postprocess
