"""Random inputs that the references were computed from; the tests make the same numbers again.

`numpy.random.RandomState` is frozen: the same seed gives the same uniform numbers in every version of NumPy, which
`Generator` does not promise. Boxes are normalised xmin, ymin, xmax, ymax here, as torchvision has them.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

REFERENCES = Path(__file__).parent / "references"
Floats = NDArray[np.float32]


class Pairs(NamedTuple):
    """(N, 4) boxes and as many priors for them."""

    boxes: Floats
    priors: Floats


class Batch(NamedTuple):
    """Objects of each image, and a network's outputs: (B, P, 4) dx, dy, dw, dh and (B, P, C + 1), background first."""

    boxes: list[Floats]
    labels: list[NDArray[np.int64]]
    offsets: Floats
    logits: Floats


def checksum(*arrays: NDArray) -> str:
    """Tells whether the numbers are those that the references were made from."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def random_boxes(random: np.random.RandomState, count: int, smallest: float = 0.02, largest: float = 0.6) -> Floats:
    """(count, 4) boxes inside the image, their sides between two fractions of it."""
    sides = random.uniform(smallest, largest, (count, 2))
    corners = random.uniform(0, 1, (count, 2)) * (1 - sides)
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


def encoding_pairs() -> Pairs:
    """Boxes from tiny to the whole image, with any prior."""
    random = np.random.RandomState(0)
    return Pairs(random_boxes(random, 400, 0.004, 0.99), random_boxes(random, 400, 0.03, 0.99))


def training_batch(priors: int, images: int, classes: int) -> Batch:
    """Few objects in each image, apart enough that no two want the same prior, and an untrained network's outputs."""
    random = np.random.RandomState(6)
    boxes = []
    for image in range(images):
        columns = image % 3 + 1
        cell = random_boxes(random, columns**2, 0.3, 0.9) / columns
        place = np.stack(np.meshgrid(np.arange(columns), np.arange(columns)), axis=-1).reshape(-1, 2) / columns
        boxes.append((cell + np.tile(place, 2)).astype(np.float32))
    labels = [random.randint(1, classes + 1, len(of_image)) for of_image in boxes]
    offsets = random.uniform(-3, 3, (images, priors, 4)).astype(np.float32)
    logits = random.uniform(-2, 2, (images, priors, classes + 1)).astype(np.float32)
    logits[..., 0] += 4  # most priors are background to it
    return Batch(boxes, [one.astype(np.int64) for one in labels], offsets, logits)


def decoding_batch(priors: int, classes: int) -> Batch:
    """Outputs for three images without objects: a mess, a confident network and one that finds nothing.

    One offset in twenty is far outside of what a network learns: it moves a box out of the image, shrinks it to nothing
    or makes it larger than exp(ln(1000/16)) times its prior, where decoding stops.
    """
    random = np.random.RandomState(2)
    offsets = random.uniform(-2, 2, (3, priors, 4))
    offsets[1] *= 0.2  # neighbouring priors give nearly the same box
    offsets = np.where(random.uniform(size=offsets.shape) < 0.05, offsets * 40, offsets)
    logits = random.uniform(-1, 1, (3, priors, classes + 1))
    logits[1, :, 0] += 8
    sure = np.flatnonzero(random.uniform(size=priors) < 0.1)
    logits[1, sure, random.randint(1, classes + 1, len(sure))] += random.uniform(5, 12, len(sure))
    logits[2, :, 0] += 20
    return Batch([], [], offsets.astype(np.float32), logits.astype(np.float32))
