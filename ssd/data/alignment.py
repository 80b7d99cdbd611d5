"""Whether two images that look a little alike are one picture, one of them cut, moved or mirrored."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.data.images import MAX_PIXELS, decode_image, reducible

_SIDE = 64  # pixels
_REDUCTION = 8  # of a JPEG that is decoded for it
_SMOOTHING = 3  # pixels of the filter before the comparison
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-4)
_FARTHEST = 0.2  # of a scale or a shear: beyond it the alignment has run away, as it does on unlike images


def small(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> NDArray[np.float32]:
    """(64, 64) float32 grey of an encoded image that can be decoded, pixels as stored."""
    image = decode_image(data, name, max_pixels, reduction=_REDUCTION if reducible(data) else 1)
    grey: Any = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    resized: Any = cv2.resize(grey, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    return resized.astype(np.float32)


def aligned_likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The correlation of two small pictures once one is moved, scaled and sheared to lie on the other.

    By enhanced correlation coefficient maximisation (Evangelidis, Psarakis 2008); 0 where no alignment is found.

    Args:
        one, other: (64, 64) grey.
    """
    try:
        likeness, warp = cv2.findTransformECC(
            one,
            other,
            np.eye(2, 3, dtype=np.float32),
            cv2.MOTION_AFFINE,
            _STOP,
            None,
            _SMOOTHING,  # type: ignore[call-overload]
        )
    except cv2.error:  # it did not converge
        return 0.0
    return float(likeness) if np.abs(warp[:, :2] - np.eye(2)).max() <= _FARTHEST else 0.0
