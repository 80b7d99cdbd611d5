"""Annotations: their shapes, and some of their objects."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.samples import make_sample

ANNOTATION = make_sample().annotation  # three objects, whose labels and flags differ


def test_objects_are_selected_with_all_that_belongs_to_them() -> None:
    last_twice = ANNOTATION.select(np.array([2, 2]))
    assert (last_twice.id, last_twice.height, last_twice.width) == ("sample", 40, 60)
    assert last_twice.labels.tolist() == [12, 12]
    assert last_twice.crowd.tolist() == [True, True]
    np.testing.assert_array_equal(last_twice.boxes, ANNOTATION.boxes[[2, 2]])
    without_crowds = ANNOTATION.select(~ANNOTATION.crowd)
    assert without_crowds.labels.tolist() == [10, 11]
    assert without_crowds.difficult.tolist() == [False, True]
    assert ANNOTATION.select(np.zeros(3, np.bool_)).boxes.shape == (0, 4)


@pytest.mark.parametrize("column", ["labels", "difficult", "crowd", "areas"])
def test_columns_of_another_length_are_refused(column: str) -> None:
    with pytest.raises(ValueError, match=r"must be \(N, 4\) and \(N,\)"):
        replace(ANNOTATION, **{column: getattr(ANNOTATION, column)[:2]})
    with pytest.raises(ValueError, match=r"must be \(N, 4\) and \(N,\)"):
        replace(ANNOTATION, boxes=ANNOTATION.boxes[:, :3])
