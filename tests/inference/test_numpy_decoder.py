"""The decoder in NumPy gives what the one in TensorFlow gives."""

import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from ssd.inference.decoder import Decoder, to_detections
from ssd.inference.exported import Metadata
from ssd.inference.numpy_decoder import NumpyDecoder
from ssd.models.box_coder import BoxCoder
from ssd.models.detector import NMSSettings

GRID = np.stack(np.meshgrid(np.arange(4), np.arange(4)), axis=-1).reshape(-1, 2) / 4 + 0.125
PRIORS = np.hstack([GRID, np.full_like(GRID, 0.4)]).astype(np.float32)
VARIANCES = (0.1, 0.1, 0.2, 0.2)


@given(st.integers(0, 2**32 - 1), st.sampled_from([(50, 20), (3, 5)]))
@settings(max_examples=20, deadline=None)
def test_the_same(seed: int, counts: tuple[int, int]) -> None:
    draw = np.random.default_rng(seed)
    offsets = draw.normal(0, 3, (16, 4)).astype(np.float32)
    logits = draw.normal(0, 2, (16, 4)).astype(np.float32)
    nms = NMSSettings(0.1, 0.45, *counts)
    (expected,) = to_detections(Decoder(BoxCoder(PRIORS, VARIANCES), nms)(tf.constant(offsets[None]), logits[None]))
    metadata = Metadata("litert", "full_int8", ("a", "b", "c"), 32, 0.1, 0.45, *counts, "run")
    found = NumpyDecoder(PRIORS, np.asarray(VARIANCES, np.float32), metadata)(offsets, logits)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-5)
