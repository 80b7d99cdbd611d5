"""What is said of images that EXIF turns."""

import numpy as np
import pytest

from ssd.data.look import Look
from ssd.data.sample import Annotation, Dataset
from ssd.inspection.pictures import check_pictures

PIXELS = bytes(range(256)).hex()  # not of one colour


@pytest.mark.parametrize(
    ("orientation", "annotated", "reaches_outside", "kinds"),
    [
        (1, (4, 6), True, []),
        (6, (6, 4), True, []),  # it is turned, as its annotation is: no fault
        (6, (4, 6), False, ["exif-tag"]),
        (6, (4, 6), True, ["exif-rotated"]),
        (3, (4, 6), True, ["exif-tag"]),  # a box outside of it is outside of it upright, too
    ],
)
def test_a_turned_image_is_a_fault_where_its_boxes_do_not_fit(
    orientation: int, annotated: tuple[int, int], reaches_outside: bool, kinds: list[str]
) -> None:
    one = np.zeros(1, np.bool_)
    boxes, labels = np.array([[0, 0, 1, 1]], np.float32), np.zeros(1, np.int32)
    annotation = Annotation("a.jpg", *annotated, boxes, labels, one, one, np.ones(1, np.float32))
    dataset = Dataset("toy:train", ("cat",), [annotation], lambda index: b"")
    look = Look(size=(4, 6), orientation=orientation, thumbnail=PIXELS)
    assert [found.kind for found in check_pictures(dataset, [look], {0} if reaches_outside else ())] == kinds
