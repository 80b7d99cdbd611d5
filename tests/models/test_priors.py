"""Priors by hand: order, places and clipping; tests/parity/test_priors.py compares those of conf/detector."""

import numpy as np

from ssd.models.priors import PriorLevel, build_priors


def test_shapes_of_a_cell_in_order():
    level = PriorLevel(cells=1, step=1.0, scale=0.1, next_scale=0.4, aspect_ratios=(4.0,))
    # s, sqrt(s s'), ratio 4 (twice as wide, half as high), ratio 1/4; all as (height, width)
    np.testing.assert_allclose(level.shapes, [(0.1, 0.1), (0.2, 0.2), (0.05, 0.2), (0.2, 0.05)])


def test_centers_run_row_by_row():
    level = PriorLevel(cells=2, step=0.4, scale=0.1, next_scale=0.2, aspect_ratios=())
    centers = level.boxes()[::2, :2]
    np.testing.assert_allclose(centers, [(0.2, 0.2), (0.2, 0.6), (0.6, 0.2), (0.6, 0.6)])


def test_clipping_limits_sizes_and_never_moves_centers():
    level = PriorLevel(cells=1, step=1.0, scale=0.9, next_scale=1.2, aspect_ratios=(2.0,))
    free, clipped = build_priors([level], clip=False), build_priors([level], clip=True)
    assert free[:, 2:].max() > 1.0
    np.testing.assert_array_equal(clipped[:, 2:], np.minimum(free[:, 2:], 1.0))
    np.testing.assert_array_equal(clipped[:, :2], free[:, :2])
