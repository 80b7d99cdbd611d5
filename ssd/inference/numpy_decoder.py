"""`ssd.inference.decoder.Decoder` in NumPy, for one image: where neither the file nor TensorFlow decodes."""

import numpy as np
from numpy.typing import NDArray

from ssd.inference.detections import Detections
from ssd.inference.exported import Metadata
from ssd.inference.views import not_suppressed

_MOST_LOG = np.float32(np.log(1000.0 / 16.0))  # ssd.models.box_coder.MAX_LOG_SCALE, which imports TensorFlow


class NumpyDecoder:
    """Softmax, box decoding and per-class NMS.

    Args:
        priors: (P, 4) float32 cy, cx, height, width, as fractions of the image.
        variances: (4,) of the offsets.
        metadata: thresholds and counts.
    """

    def __init__(self, priors: NDArray[np.float32], variances: NDArray[np.float32], metadata: Metadata) -> None:
        self._priors = priors
        self._variances = variances
        self._metadata = metadata

    def __call__(self, offsets: NDArray[np.float32], logits: NDArray[np.float32]) -> Detections:
        """The detections of an image, from offsets (P, 4) and logits (P, C + 1), background first."""
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores = (powers / powers.sum(axis=1, keepdims=True))[:, 1:]
        useful = np.flatnonzero(scores.max(axis=1) > self._metadata.score_threshold)
        boxes, scores = self._boxes(offsets, useful), scores[useful]
        parts = [self._of_class(boxes, scores[:, label], label) for label in range(scores.shape[1])]
        found = Detections(*(np.concatenate([getattr(part, name) for part in parts]) for name in _COLUMNS))
        order = np.argsort(-found.scores, kind="stable")
        return found[order[: self._metadata.max_detections]]

    def _of_class(self, boxes: NDArray[np.float32], scores: NDArray[np.float32], label: int) -> Detections:
        rows = np.flatnonzero(scores > self._metadata.score_threshold)
        rows = rows[np.argsort(-scores[rows], kind="stable")][: self._metadata.max_per_class]
        rows = rows[not_suppressed(boxes[rows], self._metadata.nms_iou, over_smaller=False)]
        return Detections(boxes[rows], np.full(len(rows), label, np.int32), scores[rows])

    def _boxes(self, offsets: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        scaled, priors = offsets[rows] * self._variances, self._priors[rows]
        center = scaled[:, :2] * priors[:, 2:] + priors[:, :2]
        half = np.exp(np.minimum(scaled[:, 2:], _MOST_LOG)) * priors[:, 2:] / 2
        corners = np.concatenate([center - half, center + half], axis=1)
        return np.clip(corners, 0.0, 1.0).astype(np.float32)


_COLUMNS = ("boxes", "labels", "scores")
