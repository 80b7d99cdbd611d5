"""More than 8 bits become 8: the image's largest value says how many there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd.data.depth import to_eight_bits


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255], np.uint16), [0, 255]),
        (np.array([3, 256], np.uint16), [0, 64]),  # 10 bits
        (np.array([16, 4000, 4095], np.uint16), [1, 250, 255]),  # 12
        (np.array([4096, 16383], np.uint16), [64, 255]),  # 14
        (np.array([255, 256, 65535], np.uint16), [0, 1, 255]),  # 16
        (np.array([2**31, 2**32 - 1], np.uint32), [128, 255]),
        (np.array([0, 1000], np.int16), [0, 250]),
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([0.0, 1.4, 255.0]), [0, 1, 255]),
        (np.array([np.nan, 0.5], np.float32), [0, 128]),
        (np.zeros(2, np.float32), [0, 0]),
        (np.array([1, 200], np.uint8), [1, 200]),
    ],
)
def test_by_hand(values: np.ndarray, expected: list[int]) -> None:
    found = to_eight_bits(values)
    assert found.dtype == np.uint8
    assert found.tolist() == expected


@pytest.mark.parametrize("values", [np.array([-1, 5], np.int16), np.array([-0.1, 1.0]), np.array([0.0, 1e12])])
def test_values_without_a_brightness(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="its values go from"):
        to_eight_bits(values)


@given(st.lists(st.integers(0, 65535), min_size=1))
def test_order_is_kept_and_nothing_is_black_that_need_not_be(values: list[int]) -> None:
    found = to_eight_bits(np.array(values, np.uint16))
    assert (np.diff(found[np.argsort(values)].astype(int)) >= 0).all()
    assert max(values) < 256 or found.max() >= 64
