"""High bit depths: from values of more than 8 bits to the 8 bits that a network is given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DEPTHS = (8, 10, 12, 14, 16, 32)  # bits that sensors and tools have


def to_eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """The brightness, 0 to 255, of values of any type.

    A file says how many bits its values are kept in, not how many they have: sensors of 10, 12 or 14 bits write files
    of 16, which would be black if their upper 8 bits were taken. So the depth is the smallest of 8, 10, 12, 14, 16 and
    32 bits that holds the image's largest value (of any channel), and the upper 8 of those bits are taken: a 16-bit
    image whose largest value is 4000 has 12 bits, and 4000 becomes 250. One that is dark throughout may so be taken for
    one of fewer bits, and comes out brighter. Fractions from 0 to 1 are 0 to 255; larger ones are rounded and are as
    whole numbers. No number (NaN) is black.

    Raises:
        ValueError: there are negative values, or larger ones than 32 bits hold: what is black or white in them is not
            known.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0)
    low, high = values.min(), values.max()
    if low < 0 or high >= 2.0 ** DEPTHS[-1]:
        raise ValueError(f"its values go from {low:g} to {high:g}")
    if values.dtype.kind == "f":
        values = np.rint(values * 255 if high <= 1 else values).astype(np.uint32)
        high = values.max()
    depth = next(bits for bits in DEPTHS if int(high) < 2**bits)
    return (values >> (depth - 8)).astype(np.uint8)
