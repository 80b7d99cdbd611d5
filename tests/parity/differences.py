"""What the table in docs/parity.md is made of: `pytest tests/parity -rP | grep "largest difference"` prints it."""

import numpy as np
from numpy.typing import ArrayLike


def largest_difference(component: str, ours: ArrayLike, reference: ArrayLike) -> float:
    """The largest absolute difference between two arrays of one shape, which it prints."""
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    assert ours.shape == reference.shape, f"{component}: {ours.shape} instead of {reference.shape}"
    difference = float(np.max(np.abs(ours - reference), initial=0.0))
    print(f"{component}: largest difference {difference:.1e}")
    return difference
