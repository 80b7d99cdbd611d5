"""From offsets and logits to boxes, labels and scores."""

import tensorflow as tf

from ssd.inference.detections import Detections
from ssd.models.box_coder import BoxCoder
from ssd.models.detector import NMSSettings


class Decoder:
    """Softmax, box decoding and per-class NMS, in float32, in the graph.

    A prior may become a detection of several classes: nothing is reduced to the best class first. As in torchvision's
    `SSD.postprocess_detections`, boxes are clipped to the image before they are compared, a score must be above the
    threshold, and a box is dropped where its IoU with a better one of its class is above `nms.iou`.

    Args:
        coder: of the detector whose outputs are decoded.
        nms: thresholds and counts.
    """

    def __init__(self, coder: BoxCoder, nms: NMSSettings) -> None:
        self.coder = coder
        self.nms = nms

    def __call__(
        self, offsets: tf.Tensor, logits: tf.Tensor, score_threshold: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Detections of a batch, K = max_detections per image, highest score first, padded with zeros.

        Args:
            offsets: (B, P, 4) float32.
            logits: (B, P, C + 1) float32, background first.
            score_threshold: a float32 scalar, in the place of the settings' own.

        Returns:
            boxes (B, K, 4) float32 corners clipped to the image, labels (B, K) int32 without background,
            scores (B, K) float32, count (B,) int32.
        """
        least = self.nms.score_threshold if score_threshold is None else score_threshold
        boxes = tf.clip_by_value(self.coder.decode(offsets), 0.0, 1.0)
        scores = tf.nn.softmax(logits)[..., 1:]
        useful = _above(least, scores)
        boxes, scores = tf.gather(boxes, useful, batch_dims=1), tf.gather(scores, useful, batch_dims=1)
        candidates = tf.minimum(self.nms.max_per_class, tf.shape(useful)[1])
        best, row = tf.math.top_k(tf.transpose(scores, [0, 2, 1]), candidates)  # (B, C, candidates)
        chosen = tf.gather(boxes, tf.transpose(row, [0, 2, 1]), batch_dims=1)  # (B, candidates, C, 4)
        found = tf.image.combined_non_max_suppression(
            chosen,
            tf.transpose(best, [0, 2, 1]),
            max_output_size_per_class=self.nms.max_per_class,
            max_total_size=self.nms.max_detections,
            iou_threshold=self.nms.iou,
            score_threshold=least,
            clip_boxes=False,
        )
        return {
            "boxes": found.nmsed_boxes,
            "labels": tf.cast(found.nmsed_classes, tf.int32),
            "scores": found.nmsed_scores,
            "count": found.valid_detections,
        }


def _above(threshold: float | tf.Tensor, scores: tf.Tensor) -> tf.Tensor:
    """(B, P, C) scores → (B, N) int32, rising: an image's priors with a score above the threshold, and others.

    A trained detector has few such priors, and sorting the scores of all takes longer than the rest. N is the largest
    number in an image of the batch, at least 1.
    """
    best = tf.reduce_max(scores, axis=-1)
    most = tf.reduce_max(tf.math.count_nonzero(best > threshold, axis=1, dtype=tf.int32))
    prior = tf.math.top_k(best, tf.maximum(most, 1), sorted=False).indices
    return tf.sort(prior, axis=1)  # as NMS takes the first of equal scores


def to_detections(decoded: dict[str, tf.Tensor]) -> list[Detections]:
    """The padded tensors of a batch as one `Detections` per image."""
    arrays = {name: tensor.numpy() for name, tensor in decoded.items()}
    return [
        Detections(arrays["boxes"][i, :n], arrays["labels"][i, :n], arrays["scores"][i, :n])
        for i, n in enumerate(arrays["count"])
    ]
