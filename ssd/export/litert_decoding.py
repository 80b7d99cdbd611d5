"""Decoding and NMS in LiteRT's operations, as `ssd.inference.decoder.Decoder` does them."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from ssd.models.detector import SSD, NMSSettings

SCOPE = "decoding/"  # of the operations, in their names
NMS_OPERATION = "TFLite_Detection_PostProcess"

# That operation refuses boxes without an area, and of clipped ones some have none. In float32, next to 1, a smaller one
# would have none either.
_SMALLEST = 1e-6

Tensors = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def detections(model: SSD, offsets: tf.Tensor, logits: tf.Tensor) -> dict[str, tf.Tensor]:
    """Offsets (1, P, 4) and logits (1, P, C + 1) → what MediaPipe's Object Detector expects.

    LiteRT's operation decodes boxes itself, but neither clips them nor limits how many of a class enter. So boxes are
    decoded and clipped before, and given to it as offsets from the unit square, and scores below the best are set to 0.

    Returns:
        location (1, K, 4) float32, category (1, K) float32, score (1, K) float32, number of detections (1,) float32.
    """
    most = min(model.nms.max_per_class, len(model.priors))
    square = np.tile(np.float32([0.0, 0.0, 1.0, 1.0]), (len(model.priors), 1))  # cy, cx, height, width
    with tf.name_scope(SCOPE):
        boxes = tf.clip_by_value(model.box_coder.decode(offsets), 0.0, 1.0)
        centers = (boxes[..., :2] + boxes[..., 2:]) / 2
        sizes = tf.math.log(tf.maximum(boxes[..., 2:] - boxes[..., :2], _SMALLEST))
        scores = tf.nn.softmax(logits)  # the operation passes the background over
        last = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), most).values[:, None, :, -1]
        entering = tf.where(scores >= last, scores, 0.0)
        encoded = tf.concat([centers, sizes], axis=-1)
    found = _postprocess(model.nms, len(model.class_names))(encoded, entering, square)
    return dict(zip(("boxes", "labels", "scores", "count"), found, strict=True))


def _postprocess(nms: NMSSettings, classes: int) -> Callable[..., Tensors]:
    """A function that stands for LiteRT's operation: the converter puts that in its place."""
    attributes = {
        "max_detections": f"i: {nms.max_detections}",
        "max_classes_per_detection": "i: 1",
        "detections_per_class": f"i: {nms.max_per_class}",
        "use_regular_nms": "b: true",  # per class
        "nms_score_threshold": f"f: {float(nms.score_threshold)}",
        "nms_iou_threshold": f"f: {float(nms.iou)}",
        "num_classes": f"i: {classes}",
        **{f"{side}_scale": "f: 1.0" for side in "yxhw"},
    }
    values = " ".join(f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attributes.items())
    count = nms.max_detections

    @tf.function(experimental_implements=f'name: "{NMS_OPERATION}" {values}')
    def postprocess(encoded: tf.Tensor, scores: tf.Tensor, anchors: tf.Tensor) -> Tensors:
        return tf.zeros((1, count, 4)), tf.zeros((1, count)), tf.zeros((1, count)), tf.zeros((1,))

    return postprocess
