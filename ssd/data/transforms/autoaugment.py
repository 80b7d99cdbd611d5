"""The learned augmentation policies of AutoAugment for detection (arXiv 1906.11172), as an albumentations transform.

The policies are tables in `conf/augmentation/autoaugment_v*.yaml`; their operations, and the source of it all, are in
`autoaugment_operations`. All randomness comes from the generators that albumentations gives a transform.
"""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import albumentations as alb
import numpy as np
from albumentations.core.type_definitions import Targets
from cv2.typing import MatLike

from ssd.data.transforms.autoaugment_operations import COLOURS, CUTOUTS, MOVES, Boxes, change, move_boxes
from ssd.data.transforms.crop_window import Window
from ssd.errors import nearest

OPERATIONS = (*MOVES, *CUTOUTS, *COLOURS)
MAX_MAGNITUDE = 10
ONLY = "_Only_BBoxes"


class Operation(NamedTuple):
    """One step of a sub-policy. The magnitude, 0 to 10, says how far it goes; some operations have nothing to vary."""

    name: str
    probability: float
    magnitude: float


class Edit(NamedTuple):
    """One operation as drawn: it changes the part of the image inside a window, by a strength of -1 to 1."""

    operation: str
    strength: float
    window: Window


class AutoAugment(alb.DualTransform):
    """Applies one sub-policy, each with equal chance, operation after operation, to a uint8 RGB image and its boxes.

    An operation happens with its probability; one `…_Only_BBoxes` happens to each box by itself, with a third of its
    probability, and changes what is inside. Moves go to either side with equal chance. Every object stays, see
    `move_boxes`. Lengths in pixels are those of the image given: the policies were published for images as they are
    before resizing, about 640 x 480.

    Args:
        policy: sub-policies, each a sequence of (operation, probability, magnitude) with the published names.
        p: probability that a sub-policy is applied at all.

    Raises:
        ValueError: an operation that does not exist, or values outside their range.
    """

    _targets = (Targets.IMAGE, Targets.BBOXES)

    def __init__(self, policy: Sequence[Sequence[tuple[str, float, float]]], p: float = 1.0) -> None:
        super().__init__(p=p)
        self.policy = [[Operation(*step) for step in sub_policy] for sub_policy in policy]
        if not self.policy:
            raise ValueError("a policy needs at least one sub-policy")
        for operation in (step for sub_policy in self.policy for step in sub_policy):
            _check(operation)

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Draws the edits of the image and gives the boxes (N, 4; x first, normalised) as they are after all."""
        height, width = params["shape"][:2]
        boxes: Boxes = np.asarray(data["bboxes"], np.float64)[:, :4]
        edits: list[Edit] = []
        for operation in self.py_random.choice(self.policy):
            drawn = _draw(self.py_random, operation, boxes, height, width)
            if drawn and operation.name in MOVES and not operation.name.endswith(ONLY):
                boxes = move_boxes(boxes, MOVES[operation.name](drawn[0].strength, height, width), height, width)
            edits += drawn
        return {"edits": edits, "boxes": boxes}

    def apply(self, img: MatLike, edits: Sequence[Edit], **params: Any) -> MatLike:
        img = img.copy()
        for operation, strength, (top, left, bottom, right) in edits:
            part = img[top:bottom, left:right]
            part[...] = change(operation, part, strength)
        return img

    def apply_to_bboxes(self, bboxes: Boxes, boxes: Boxes, **params: Any) -> Boxes:
        return np.concatenate([boxes, bboxes[:, 4:]], axis=1)


def _check(operation: Operation) -> None:
    if operation.name not in OPERATIONS:
        raise ValueError(f"unknown operation '{operation.name}'{nearest(operation.name, OPERATIONS)}")
    if not (0 <= operation.probability <= 1 and 0 <= operation.magnitude <= MAX_MAGNITUDE):
        raise ValueError(f"{list(operation)}: the probability must be in 0…1, the magnitude in 0…{MAX_MAGNITUDE}")


def _draw(rng: random.Random, operation: Operation, boxes: Boxes, height: int, width: int) -> list[Edit]:
    """What an operation does to an image of (height, width) with boxes (N, 4): nothing, one edit, or one per box."""
    name, probability, magnitude = operation
    strength = magnitude / MAX_MAGNITUDE
    if name in MOVES and rng.random() < 0.5:
        strength = -strength  # to the same side for all boxes, as in the authors' code

    windows = [(0, 0, height, width)]
    if name.endswith(ONLY):
        windows = _windows(boxes, height, width)
        rng.shuffle(windows)  # they may overlap
        probability /= 3
    elif name == "BBox_Cutout":
        windows = [rng.choice(_windows(boxes, height, width))] if len(boxes) else []
    windows = [window for window in windows if rng.random() < probability]
    if name in CUTOUTS:
        windows = [_cutout(rng, name, strength, window, height, width) for window in windows]
    return [Edit(name, strength, window) for window in windows]


def _windows(boxes: Boxes, height: int, width: int) -> list[Window]:
    """The pixels of each box, at least one."""
    low = np.rint(boxes[:, [1, 0]] * (height, width))
    low = np.minimum(low, (height - 1, width - 1))
    high = np.maximum(np.rint(boxes[:, [3, 2]] * (height, width)), low + 1)
    return [(top, left, bottom, right) for top, left, bottom, right in np.hstack([low, high]).astype(int).tolist()]


def _cutout(rng: random.Random, name: str, strength: float, window: Window, height: int, width: int) -> Window:
    """What is cut out around some pixel of a window: no more than the window, but BBox_Cutout may reach out of it."""
    top, left, bottom, right = window
    y, x = rng.randrange(top, bottom), rng.randrange(left, right)
    reach = CUTOUTS[name] * strength
    if name == "BBox_Cutout":
        pads = int(reach * (bottom - top) / 2), int(reach * (right - left) / 2)
        top, left, bottom, right = 0, 0, height, width
    else:
        pads = int(reach), int(reach)
    return max(y - pads[0], top), max(x - pads[1], left), min(y + pads[0], bottom), min(x + pads[1], right)
