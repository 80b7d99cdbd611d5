"""Flip and tiles: hand-computed geometry, and merging."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.fake_network import FakeNetwork, drawn
from ssd.inference.detections import Detections
from ssd.inference.views import View, Views, detect, merged, starts


def found(*rows: tuple[float, float, float, float, int, float]) -> Detections:
    """ymin, xmin, ymax, xmax, label, score of each."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    return Detections(table[:, :4], table[:, 4].astype(np.int32), table[:, 5])


@pytest.mark.parametrize(
    ("length", "tile", "overlap", "expected"),
    [
        (1000, 400, 0.2, [0, 320, 600]),
        (1040, 400, 0.2, [0, 320, 640]),
        (1041, 400, 0.2, [0, 320, 640, 641]),
        (400, 400, 0.2, [0]),
        (100, 400, 0.2, [0]),
        (10, 4, 0.9, [0, 1, 2, 3, 4, 5, 6]),  # a step is at least a pixel
    ],
)
def test_where_tiles_begin(length: int, tile: int, overlap: float, expected: list[int]) -> None:
    assert starts(length, tile, overlap) == expected


@given(st.integers(1, 3000), st.integers(1, 700), st.floats(0, 0.9))
def test_tiles_cover_all_and_stay_inside(length: int, tile: int, overlap: float) -> None:
    begins = starts(length, tile, overlap)
    assert begins[0] == 0
    assert min(begins[-1] + tile, length) == length
    assert all(0 < b - a <= tile for a, b in pairwise(begins))


def test_an_image_no_larger_than_a_tile_has_none() -> None:
    assert Views(tile=100).of(100, 100) == [View(0, 0, 100, 100)]
    assert Views(tile=100, overlap=0.0).of(80, 150) == [
        View(0, 0, 80, 150),
        View(0, 0, 80, 100),
        View(0, 50, 80, 150),
    ]
    assert Views(flip=True).of(10, 20) == [View(0, 0, 10, 20), View(0, 0, 10, 20, mirrored=True)]


def test_boxes_of_a_tile_and_of_a_mirrored_view_in_the_image() -> None:
    tile = View(50, 100, 100, 200)  # the middle of 200 x 400
    (box,) = tile.in_image(found((0.0, 0.5, 1.0, 1.0, 0, 0.9)), 200, 400).boxes
    np.testing.assert_allclose(box, [0.25, 0.375, 0.5, 0.5])
    (box,) = View(0, 0, 200, 400, mirrored=True).in_image(found((0.1, 0.2, 0.3, 0.5, 0, 0.9)), 200, 400).boxes
    np.testing.assert_allclose(box, [0.1, 0.5, 0.3, 0.8], atol=1e-7)


def test_a_part_in_a_whole_is_kept_by_iou_and_dropped_by_the_smaller_box() -> None:
    whole, part = (0.0, 0.0, 1.0, 1.0, 0, 0.8), (0.0, 0.0, 0.4, 1.0, 0, 0.9)  # IoU 0.4, all of the smaller
    other_class = (0.0, 0.0, 1.0, 1.0, 1, 0.5)
    network = FakeNetwork()
    parts = [found(whole), found(part), found(other_class)]
    assert merged(parts, network, over_smaller=False).scores.tolist() == pytest.approx([0.9, 0.8, 0.5])
    assert merged(parts, network, over_smaller=True).scores.tolist() == pytest.approx([0.9, 0.5])


def test_merging_the_same_twice_is_once_and_keeps_the_most_there_may_be() -> None:
    network = FakeNetwork()
    rows = [(0.1 * k, 0.0, 0.1 * k + 0.05, 0.1, 0, 0.9 - 0.1 * k) for k in range(5)]
    both = merged([found(*rows), found(*rows)], network, over_smaller=False)
    np.testing.assert_array_equal(both.boxes, found(*rows).boxes)
    network.max_detections = 2
    assert len(merged([found(*rows)], network, over_smaller=False)) == 2
    assert len(merged([found(), found()], network, over_smaller=True)) == 0


def test_mirrored_images_give_the_same_boxes_once() -> None:
    image = drawn(64, 64, red=((4, 8, 20, 30),), blue=((40, 40, 60, 62),))
    (plain,) = detect(FakeNetwork(), [image], Views(), 0.5)
    (both,) = detect(FakeNetwork(), [image], Views(flip=True), 0.5)
    np.testing.assert_allclose(both.boxes, plain.boxes, atol=1e-6)
    np.testing.assert_allclose(plain.boxes * 64, [[8, 4, 30, 20], [40, 40, 62, 60]])


def test_tiles_find_what_is_too_small_in_the_whole_and_count_what_several_see_once() -> None:
    """Discs of 4 pixels in 640: 0.4 pixels of the network's 64; in tiles of 64 as they are. One is in four of these."""
    small = ((30, 30, 34, 34), (50, 50, 54, 54), (600, 610, 604, 614))
    image = drawn(640, 640, red=small)
    network = FakeNetwork()
    (whole,) = detect(network, [image], Views(), 0.5)
    (tiled,) = detect(network, [image], Views(tile=64, overlap=0.25), 0.5)
    assert len(whole) == 0
    assert sorted(map(tuple, (tiled.boxes * 640).round().astype(int).tolist())) == sorted(
        (top, left, bottom, right) for left, top, right, bottom in small
    )
    assert network.calls[0] == 1
    assert max(network.calls) == 8


def test_views_of_several_images_pass_in_common_batches() -> None:
    network = FakeNetwork()
    images = [drawn(40, 50, red=((5 * k, 5, 5 * k + 10, 20),)) for k in range(5)]
    results = detect(network, images, Views(flip=True), 0.5, batch_size=4)
    assert network.calls == [4, 4, 2]
    for k, result in enumerate(results):
        assert abs(result.boxes[0, 1] * 50 - 5 * k) < 1
