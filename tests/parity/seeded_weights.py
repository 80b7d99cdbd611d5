"""The same random weights for a reference detector and for ours, from a seed alone: nothing large has to be stored."""

import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images

SEED = 7
STRIDE = 97  # of the priors whose outputs are stored
REFERENCES = Path(__file__).parent / "references"


def seeded_state(shapes: dict[str, list[int]], seed: int) -> dict[str, NDArray[np.float32]]:
    """A value for every weight, by PyTorch's names, batch norms' statistics included.

    Activations stay near 1: where they explode, ReLU6 turns rounding errors into large ones in any framework.
    """
    rng = np.random.default_rng(seed)
    state = {}
    for key, shape in shapes.items():
        if key.endswith("running_var"):
            value = rng.uniform(1.0, 3.0, shape)
        elif key.endswith("running_mean"):
            value = rng.normal(0, 0.1, shape)
        elif len(shape) == 4:
            value = rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
            if shape[1] == 3 and "features.0.0.0" not in key:  # VGG16 sees pixels of 0-255
                value /= 64
            if key.startswith("head.") and shape[2:] == [1, 1]:  # SSDLite's, for scores that differ
                value *= 8
        elif "scale" in key or "L2Norm" in key:
            value = rng.uniform(5, 15, shape)
        elif key.endswith("weight"):  # of a batch norm
            value = rng.uniform(0.8, 1.2, shape)
        else:
            value = rng.normal(0, 0.1, shape)
        state[key] = value.astype(np.float32)
    return state


def stored_shapes(name: str) -> dict[str, list[int]]:
    """Names and shapes of a reference detector's weights."""
    return json.loads((REFERENCES / f"{name}_shapes.json").read_text())


def photographs(side: int) -> list[NDArray[np.uint8]]:
    """Two real photographs (Chinese temple, flower; scikit-learn's), resized as ours are before the network."""
    return [cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR) for image in load_sample_images().images]
