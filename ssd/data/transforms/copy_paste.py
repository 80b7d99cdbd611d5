"""Objects of another picture pasted into this one, as an albumentations transform."""

from collections.abc import Sequence
from typing import Any

import albumentations as alb
import cv2
import numpy as np
from albumentations.core.type_definitions import Targets
from cv2.typing import MatLike

from ssd.data.transforms.crop_window import Boxes, Window

TRIALS = 20


class CopyPaste(alb.DualTransform):
    """Pastes objects of one other picture of the data set at random places, each with the rectangle around it.

    After Ghiasi et al. (arXiv 2012.07177, section 3), with boxes in the place of masks, and after Kisantal et al.
    (arXiv 1902.07296), where what is there stays visible: a place is taken if no box is covered by more than
    `max_covered`; after 20 places that are not, the object is left out. Edges are not blended, which 2012.07177 found
    to bring nothing. An object keeps its share of the picture's sides, times the drawn scale.

    Args:
        max_objects: 1 to so many objects are pasted, as far as the other picture has them.
        scale: range of the factor on an object's size.
        max_covered: share of any other box's area that a pasted object may hide.
        metadata_key: under which the other pictures are given, as those of `albumentations.Mosaic`.
        p: probability.

    Raises:
        ValueError: a value outside its range.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(
        self,
        max_objects: int = 3,
        scale: Sequence[float] = (0.7, 1.4),
        max_covered: float = 0.3,
        metadata_key: str = "mosaic_metadata",
        p: float = 0.5,
    ) -> None:
        super().__init__(p=p)
        if max_objects < 1:
            raise ValueError(f"max_objects={max_objects} must be at least 1")
        if len(scale) != 2 or not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale={list(scale)} must be two factors above 0, the smaller one first")
        if not 0 <= max_covered <= 1:
            raise ValueError(f"max_covered={max_covered} must be between 0 and 1")
        self.max_objects = max_objects
        self.scale = tuple(scale)
        self.max_covered = max_covered
        self.metadata_key = metadata_key

    @property
    def targets_as_params(self) -> list[str]:
        """What a call has to be given besides image and boxes."""
        return [self.metadata_key]

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the patches, the windows that they fill, and their boxes (N, 4 + any, albumentations' x first)."""
        height, width = params["shape"][:2]
        present = np.asarray(data["bboxes"], np.float64)
        corners = [present[:, :4] * (width, height, width, height)] if len(present) else []
        other = self.py_random.choice(data[self.metadata_key])
        image, boxes = other["image"], other["bboxes"]
        chosen = self.py_random.sample(range(len(boxes)), min(len(boxes), self.py_random.randint(1, self.max_objects)))
        patches, windows, rows = [], [], []
        for box in boxes[chosen]:
            patch = _cut(image, box)
            sides = [(box[3] - box[1]) * height, (box[2] - box[0]) * width]
            window = self._place(sides, (height, width), np.concatenate([*corners, np.zeros((0, 4))]))
            if not patch.size or window is None:
                continue
            top, left, bottom, right = window
            patches.append(patch)
            windows.append(window)
            corners.append(np.array([[left, top, right, bottom]], np.float64))
            rows.append([left / width, top / height, right / width, bottom / height, *box[4:]])
        return {"patches": patches, "windows": windows, "rows": rows}

    def _place(self, sides: Sequence[float], size: tuple[int, int], corners: Boxes) -> Window | None:
        """A window for an object of (height, width) pixels that hides little of the others (N, 4, in pixels)."""
        scale = self.py_random.uniform(*self.scale)
        height, width = (min(max(1, round(side * scale)), whole) for side, whole in zip(sides, size, strict=True))
        for _ in range(TRIALS):
            top = self.py_random.randint(0, size[0] - height)
            left = self.py_random.randint(0, size[1] - width)
            if not len(corners) or _covered(corners, (top, left, top + height, left + width)).max() <= self.max_covered:
                return top, left, top + height, left + width
        return None

    def apply(self, img: MatLike, patches: list[MatLike], windows: list[Window], **params: Any) -> MatLike:
        img = img.copy()
        for patch, (top, left, bottom, right) in zip(patches, windows, strict=True):
            smaller = patch.shape[0] > bottom - top
            interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            img[top:bottom, left:right] = cv2.resize(patch, (right - left, bottom - top), interpolation=interpolation)
        return img

    def apply_to_bboxes(self, bboxes: Boxes, rows: list[list[float]], **params: Any) -> Boxes:
        if not rows:
            return bboxes
        pasted = np.array(rows, bboxes.dtype)
        return np.concatenate([bboxes, pasted]) if len(bboxes) else pasted  # of no boxes the columns are too few


def _cut(image: MatLike, box: Boxes) -> MatLike:
    """The pixels of a box, x first, as fractions."""
    height, width = image.shape[:2]
    left, top = np.floor(box[:2] * (width, height) + 0.5).astype(int)
    right, bottom = np.floor(box[2:4] * (width, height) + 0.5).astype(int)
    return image[top:bottom, left:right]


def _covered(corners: Boxes, window: Window) -> Boxes:
    """(N,) share of each box (N, 4 left, top, right, bottom in pixels) that a window hides."""
    top, left, bottom, right = window
    across = np.minimum(corners[:, 2], right) - np.maximum(corners[:, 0], left)
    down = np.minimum(corners[:, 3], bottom) - np.maximum(corners[:, 1], top)
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    return np.maximum(across, 0) * np.maximum(down, 0) / np.maximum(areas, 1e-9)
