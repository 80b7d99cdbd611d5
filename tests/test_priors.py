"""Priors: counts, order and places as in the recipes."""

import numpy as np
import pytest

from ssd.models.priors import PriorLevel, build_priors


def test_shapes_of_a_cell_in_order():
    level = PriorLevel(cells=1, step=1.0, scale=0.1, next_scale=0.4, aspect_ratios=(4.0,))
    # s, sqrt(s s'), ratio 4 (twice as wide, half as high), ratio 1/4; all as (height, width)
    np.testing.assert_allclose(level.shapes, [(0.1, 0.1), (0.2, 0.2), (0.05, 0.2), (0.2, 0.05)])


def test_centers_run_row_by_row():
    level = PriorLevel(cells=2, step=0.4, scale=0.1, next_scale=0.2, aspect_ratios=())
    centers = level.boxes()[::2, :2]
    np.testing.assert_allclose(centers, [(0.2, 0.2), (0.2, 0.6), (0.6, 0.2), (0.6, 0.6)])


@pytest.mark.parametrize(
    ("cells", "ratios", "count"),
    [
        ((38, 19, 10, 5, 3, 1), ((2,), (2, 3), (2, 3), (2, 3), (2,), (2,)), 8732),  # SSD300
        ((64, 32, 16, 8, 4, 2, 1), ((2,), (2, 3), (2, 3), (2, 3), (2, 3), (2,), (2,)), 24564),  # SSD512
        ((20, 10, 5, 3, 2, 1), ((2, 3),) * 6, 3234),  # SSDLite320
    ],
)
def test_number_of_priors(cells, ratios, count):
    levels = [PriorLevel(side, 1 / side, 0.2, 0.3, shape) for side, shape in zip(cells, ratios, strict=True)]
    assert build_priors(levels, clip=False).shape == (count, 4)


def test_clipping_limits_sizes_and_never_moves_centers():
    level = PriorLevel(cells=1, step=1.0, scale=0.9, next_scale=1.2, aspect_ratios=(2.0,))
    free, clipped = build_priors([level], clip=False), build_priors([level], clip=True)
    assert free[:, 2:].max() > 1.0
    np.testing.assert_array_equal(clipped[:, 2:], np.minimum(free[:, 2:], 1.0))
    np.testing.assert_array_equal(clipped[:, :2], free[:, :2])
