"""The one result type: its shapes, and parts of it."""

import numpy as np
import pytest

from ssd.inference.detections import Detections

THREE = Detections(
    np.arange(12, dtype=np.float32).reshape(3, 4), np.array([2, 0, 1], np.int32), np.array([0.9, 0.5, 0.1], np.float32)
)


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([1, 2]), np.array([False, True, True])])
def test_some_of_them_by_slice_indices_or_mask(rows) -> None:
    some = THREE[rows]
    assert len(some) == 2
    assert some.labels.tolist() == [0, 1]
    np.testing.assert_array_equal(some.boxes, [[4, 5, 6, 7], [8, 9, 10, 11]])
    np.testing.assert_array_equal(some.scores, THREE.scores[1:])


def test_above_keeps_equal_scores_and_may_keep_none() -> None:
    assert THREE.above(0.5).labels.tolist() == [2, 0]
    assert len(THREE.above(0.95)) == 0


@pytest.mark.parametrize(
    ("boxes", "labels", "scores"), [((2, 4), 3, 3), ((3, 5), 3, 3), ((3, 4), 2, 3), ((3, 4), 3, 2)]
)
def test_shapes_that_do_not_fit_are_refused(boxes, labels, scores) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, 4\), \(N,\) and \(N,\)"):
        Detections(np.zeros(boxes, np.float32), np.zeros(labels, np.int32), np.zeros(scores, np.float32))
