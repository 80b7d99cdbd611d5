"""Weights files of other projects, as numpy arrays by the names of our layers. Needs neither PyTorch nor TensorFlow."""

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ssd.errors import UserError, first_line, nearest
from ssd.weights.class_names import names_for
from ssd.weights.layouts import LAYOUTS, Layout
from ssd.weights.pth import read_pth
from ssd.weights.published import PUBLISHED, fetch

log = logging.getLogger(__name__)

State = Mapping[str, NDArray[Any]]
Arrays = list[NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class TrainedWeights:
    """A trained detector without its network.

    Attributes:
        origin: where it comes from, for messages.
        class_names: without background, in the order of its logits.
        layers: for each layer by name what Keras' `set_weights` takes.
    """

    origin: str
    class_names: tuple[str, ...]
    layers: dict[str, Arrays]


def split_spec(weights: str) -> tuple[str, Path]:
    """ "torchvision:FILE" → project and path; the name of a published detector is downloaded where it is no file.

    Raises:
        UserError: where it names no known project, no file, or what cannot be downloaded.
    """
    project, colon, path = weights.partition(":")
    if not colon or project not in LAYOUTS:
        known = " or ".join(f"{name}:FILE" for name in LAYOUTS)
        raise UserError(
            f"weights={weights} does not say whose weights they are; give weights={known}{nearest(project, LAYOUTS)} "
            "(a run folder or .keras file of this program goes to checkpoint=)"
        )
    file = Path(path).expanduser()
    names = PUBLISHED.get(project, {})
    if not file.is_file() and path in names:
        return project, fetch(project, path)
    if not file.is_file():
        known = f", and the published detectors are {', '.join(names)}" if names else ""
        raise UserError(f"weights={weights}: there is no such file; paths are relative to {Path.cwd()}{known}")
    return project, file


def read_layout(weights: str) -> Layout:
    """What kind of detector "torchvision:FILE" is.

    Raises:
        UserError: where the file cannot be read or is of no known kind.
    """
    return _read(weights)[0]


def read_weights(weights: str) -> TrainedWeights:
    """The trained detector in "torchvision:FILE" or "amdegroot:FILE", a `.pth` or `.safetensors` file.

    Raises:
        UserError: where the file cannot be read, is of no known kind, or has too few or too many weights.
    """
    layout, state, file = _read(weights)
    unused = {key for key in state if not key.endswith(".num_batches_tracked")}
    layers: dict[str, Arrays] = {}
    for layer, prefix in layout.pairs:
        keys = [prefix] if prefix in state else [f"{prefix}.{part}" for part in _PARTS if f"{prefix}.{part}" in state]
        if not keys or (keys[0] not in (prefix, f"{prefix}.weight")):
            raise UserError(f"{file} lacks {prefix}.weight of {layout.title}; download it again")
        _check_shapes(file, layer, keys, [state[key].shape for key in keys])
        layers[layer] = _converted(layer, [np.asarray(state[key], np.float32) for key in keys])
        unused.difference_update(keys)
    if unused:
        raise UserError(
            f"{file} is not {layout.title}, though it looks like it: there is no place for {min(unused)} and "
            f"{len(unused) - 1} more of its weights"
        )
    _say_not_finite(file, layers)
    return TrainedWeights(str(file), names_for(_count_classes(layers, file)), layers)


_PARTS = ("weight", "bias", "running_mean", "running_var")  # in the order of Keras' layers


def _read(weights: str) -> tuple[Layout, State, Path]:
    project, file = split_spec(weights)
    state = _state(file)
    for layout in LAYOUTS[project]:
        markers = [f"{prefix}.weight" for layer, prefix in layout.pairs if layer.startswith("class_head_0")]
        if all(marker in state for marker in markers):
            return layout, state, file
    titles = " nor of ".join(layout.title for layout in LAYOUTS[project])
    raise UserError(f"{file} has not the weights of {titles}; it starts with {', '.join(list(state)[:3])}")


def _state(file: Path) -> State:
    """The named arrays of a file; those of a training's checkpoint lie under "model" or "state_dict"."""
    if file.suffix == ".safetensors":
        try:
            return load_file(os.fspath(file))
        except Exception as error:  # beside its own error what numpy says of a type it does not have, such as float8
            raise UserError(
                f"{file} is not a safetensors file, or is damaged ({first_line(error)}); download it again"
            ) from error
    content = read_pth(file)
    for name in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(name), dict):
            content = content[name]
    if not isinstance(content, dict) or not all(isinstance(value, np.ndarray) for value in content.values()):
        raise UserError(f"{file} is not a dict of weights; save the model's state_dict()")
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def _check_shapes(file: Path, layer: str, keys: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> None:
    """A kernel has four axes, a scale of a norm one; what goes with either has a number per channel; offsets
    come in fours.

    Raises:
        UserError: naming the weights that cannot be those of a layer.
    """
    kernel, *rest = shapes
    possible = len(kernel) in (1, 4) and 0 not in kernel and not (_gives_offsets(layer) and kernel[0] % 4)
    for key, shape, fits in zip(keys, shapes, [possible, *(shape == kernel[:1] for shape in rest)], strict=True):
        if not fits:
            raise UserError(f"{file} has {key} of shape {list(shape)}, which no layer can use; download it again")


def _say_not_finite(file: Path, layers: Mapping[str, Arrays]) -> None:
    wrong = [name for name, arrays in layers.items() if not all(np.isfinite(array).all() for array in arrays)]
    if wrong:
        log.warning(
            "%s has weights that are no finite numbers, in %d layers: the first is %s", file, len(wrong), wrong[0]
        )


def _converted(layer: str, arrays: Arrays) -> Arrays:
    """PyTorch's order of axes (out, in, height, width) and our order of channels."""
    kernel, *rest = arrays
    if kernel.ndim == 4:
        depthwise = layer.endswith("_depthwise")
        kernel = kernel.transpose(2, 3, 0, 1) if depthwise else kernel.transpose(2, 3, 1, 0)
        if layer == "block1_conv1":
            kernel = kernel[:, :, ::-1]  # trained on RGB; our VGG16 takes BGR, as keras.applications' does
    arrays = [kernel, *rest]
    return [_swap_axes(array) for array in arrays] if _gives_offsets(layer) else arrays


def _gives_offsets(layer: str) -> bool:
    """Whether it is the last layer of a box head."""
    return re.fullmatch(r"box_head_\d+(_pointwise)?", layer) is not None


def _swap_axes(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """Per prior dx, dy, dw, dh → dy, dx, dh, dw, on the last axis."""
    return array.reshape(*array.shape[:-1], -1, 4)[..., [1, 0, 3, 2]].reshape(array.shape)


def _count_classes(layers: Mapping[str, Arrays], file: Path) -> int:
    """From the numbers of outputs of the first heads: 4 per prior, and classes + 1 per prior.

    Raises:
        UserError: they are no heads of one detector.
    """
    boxes, logits = (
        next(arrays[-1].size for name, arrays in layers.items() if name in (f"{head}_0", f"{head}_0_pointwise"))
        for head in ("box_head", "class_head")
    )
    priors = boxes // 4
    if logits % priors or logits < 2 * priors:
        raise UserError(
            f"{file} has heads of {boxes} offsets and {logits} logits, which no detector has; download it again"
        )
    return logits // priors - 1
