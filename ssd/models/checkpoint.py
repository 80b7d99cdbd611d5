"""Checkpoints: `.keras` files that hold a whole detector, read without trusting them.

The container, the configuration and the weights are each looked at before anything is made of them; then the network
is built, and the weights are put in. What a network was trained with is not read: a training that goes on makes its own
optimizer and takes the stored numbers.
"""

import io
import logging
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

import ssd.models.layers  # noqa: F401  (registers what a checkpoint refers to)
from ssd.errors import UserError, first_line
from ssd.models.detector import SSD
from ssd.models.keras_weights import Shapes, network_shapes, optimizer_shapes, stored_shapes
from ssd.runs.checkpoint import checkpoint_file, read_notes, read_settings, unreadable
from ssd.runs.keras_config import check_network, shown
from ssd.runs.keras_zip import AVERAGE, BROKEN, RUNNING, WEIGHTS, copy, opened, read_json

log = logging.getLogger(__name__)

RANDOM = "random"  # in what `read_running` gives: the state of layers that draw, such as dropout

_PIXELS = range(32, 4097)  # of an image's side, as the command line has it
_MOST_PRIORS = 2**22  # SSD512 has 24,564
_MOST_VALUES = 1024  # of a layer, for each pixel of the image; VGG16 has 64


@dataclass(frozen=True)
class _Stored:
    """A checkpoint that has been looked at.

    Attributes:
        settings: of its detector, for `SSD.from_config`.
        notes: see `ssd.runs.checkpoint.read_notes`.
        weights: the HDF5 file, unpacked for as long as it is needed.
        shapes: of what that holds.
    """

    settings: dict[str, Any]
    notes: dict[str, int]
    weights: Path
    shapes: Shapes


def load_detector(checkpoint: str | Path) -> SSD:
    """The detector of a checkpoint, with its class names, priors and preprocessing.

    Args:
        checkpoint: a `.keras` file, or a run folder.

    Raises:
        UserError: naming the file where it cannot be read as one of this project's checkpoints.
    """
    file = checkpoint_file(checkpoint)
    with _stored(file) as stored:
        model = _network(stored)
        _put_in(stored, model)
    _say_not_finite(file, model)
    return model


def restore(file: Path, model: SSD, optimizer: keras.optimizers.Optimizer | None = None) -> Mapping[str, int]:
    """Puts a checkpoint's weights into the same network, and its optimizer's state into a built one of the same kind.

    Returns:
        The notes that it was written with.

    Raises:
        UserError: it cannot be read, or it holds another network, other classes or another optimizer's state.
    """
    with _stored(file) as stored:
        names = stored.settings["class_names"]
        if tuple(names) != model.class_names:
            raise UserError(
                f"{file} detects {', '.join(names)}, but the data set has {', '.join(model.class_names)}; resume with "
                "the run's own data set"
            )
        if Counter(network_shapes(stored.shapes)) != Counter(_shapes(model.weights)):
            raise UserError(f"{file} holds another network; resume with the run's own backbone and detector")
        if optimizer is not None and optimizer_shapes(stored.shapes) != _shapes(optimizer.variables):
            raise UserError(f"{file} was written with another optimizer; resume with the run's own optimizer")
        with compiled_with(model, optimizer):
            _put_in(stored, model)
    if optimizer is not None:
        set_random_state(model, read_running(file).get(RANDOM, np.zeros(0)))
    _say_not_finite(file, model)
    return stored.notes


def read_running(file: Path) -> dict[str, NDArray[np.float64]]:
    """What else a training carries from step to step, by name; nothing where the checkpoint is of none, or older.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with opened(file) as archive:
            found = read_json(archive, RUNNING) if RUNNING in archive.namelist() else {}
            return {name: np.frombuffer(bytes.fromhex(values), "<f8") for name, values in found.items()}
    except (*BROKEN, AttributeError, TypeError) as error:  # JSON of something else
        raise UserError(unreadable(file, shown(first_line(error), 300))) from error


def random_state(model: keras.Model) -> NDArray[np.float64]:
    """(N,) the states of its layers that draw, which Keras does not keep with the weights; most networks have none."""
    return np.concatenate([np.zeros(0), *(variable.numpy().ravel() for variable in _drawing(model))])


def set_random_state(model: keras.Model, values: NDArray[np.float64]) -> None:
    """Goes on drawing from where `random_state` was; of another network's, or of none, nothing is taken."""
    variables = _drawing(model)
    sizes = [prod(variable.shape) for variable in variables]
    if len(values) != sum(sizes) or not sizes:
        return
    for variable, part in zip(variables, np.split(values, np.cumsum(sizes)[:-1]), strict=True):
        variable.assign(part.reshape(variable.shape).astype(variable.dtype))


def _drawing(model: keras.Model) -> list[keras.Variable]:
    kept = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in kept]


def read_average(file: Path) -> NDArray[np.float32] | None:
    """The average of weights that a checkpoint was written with; None where it has none.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with opened(file) as archive:
            if AVERAGE not in archive.namelist():
                return None
            content = io.BytesIO()
            copy(archive, AVERAGE, content)
            return np.frombuffer(content.getvalue(), "<f4")
    except BROKEN as error:
        raise UserError(unreadable(file, shown(first_line(error), 300))) from error


@contextmanager
def compiled_with(model: SSD, optimizer: keras.optimizers.Optimizer | None) -> Iterator[None]:
    """The model with an optimizer that Keras saves and loads with it, and without one again whatever happens."""
    try:
        if optimizer is not None:
            model.compile(optimizer=optimizer)
        yield
    finally:
        model.compiled, model.optimizer = False, None


def check_storable(model: SSD) -> None:
    """Refuses a network that could not be read again from a checkpoint.

    Raises:
        UserError: saying why, with the layer's class.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # Keras' of a lambda, which is refused here
            backbone = keras.saving.serialize_keras_object(model.backbone)
        check_network(backbone, _is_registered)
        _check_outputs(model)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise UserError(
            f"the detector could not be read from a checkpoint again: {first_line(error)}; make the backbone of "
            "other layers of Keras, or of classes of your own that keras.saving.register_keras_serializable knows"
        ) from error


@contextmanager
def _stored(file: Path) -> Iterator[_Stored]:
    try:
        with opened(file) as archive, tempfile.TemporaryDirectory(prefix="ssd-weights-") as folder:
            settings, notes = read_settings(archive, _is_registered), read_notes(archive)
            weights = Path(folder, WEIGHTS)
            _unpack(archive, file, weights)
            yield _Stored(settings, notes, weights, stored_shapes(weights))
    except UserError:
        raise
    except Exception as error:  # zip, h5py and Keras raise many kinds
        raise UserError(unreadable(file, shown(first_line(error), 300))) from error


def _unpack(archive: zipfile.ZipFile, file: Path, weights: Path) -> None:
    try:
        with weights.open("wb") as target:
            copy(archive, WEIGHTS, target)
    except OSError as error:
        raise UserError(
            f"the weights of {file} cannot be unpacked in {weights.parent.parent} ({error.strerror or error}); make "
            "space there, or set TMPDIR to a folder that has some"
        ) from error


def _is_registered(name: str) -> bool:
    return keras.saving.get_registered_object(name) is not None


def _network(stored: _Stored) -> SSD:
    """The network with fresh weights, which take memory only once they are known to be no more than the stored ones.

    Raises:
        ValueError: they are more, or it cannot be built, or is beyond reason.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = _built(stored.settings)
            weights, there = (sum(map(prod, some)) for some in (_shapes(model.weights), network_shapes(stored.shapes)))
            if weights > there:
                raise ValueError(f"its network has {weights} weights, of which the file has {there}")
            _check_outputs(model)
    except BaseException:
        policy = keras.config.dtype_policy()
        keras.utils.clear_session()  # or the next network would give its variables their memory
        keras.config.set_dtype_policy(policy)
        raise
    with keras.StatelessScope():
        pass  # whose end gives the variables their first values
    return model


def _built(settings: dict[str, Any]) -> SSD:
    try:
        return SSD.from_config(settings)
    except Exception as error:  # Keras and TensorFlow raise many kinds, and some advise to have unsafe files read
        said = str(error).rpartition("Exception encountered: ")[2].strip()
        reason = "" if "safe_mode" in said else f": {shown(said.splitlines()[0], 250)}" if said else ""
        raise ValueError(f"its network cannot be built{reason}") from error


def _put_in(stored: _Stored, model: SSD) -> None:
    try:
        model.load_weights(stored.weights)
    except Exception as error:
        raise ValueError("its weights do not fit its network") from error


def _check_outputs(model: SSD) -> None:
    """Refuses a network that takes memory beyond reason for an image."""
    side = model.image_size
    if side not in _PIXELS or model.input_shape != (None, side, side, 3):
        raise ValueError(f"its network takes images of shape {model.input_shape[1:]}")
    priors = sum(level.cells**2 * len(level.shapes) for level in model.prior_levels)
    if priors > _MOST_PRIORS:
        raise ValueError(f"its network has {priors} priors, more than {_MOST_PRIORS}")
    for layer in _layers(model):
        for node in layer._inbound_nodes:
            for output in node.outputs:
                values = prod(side if axis is None else axis for axis in output.shape[1:])
                if values > _MOST_VALUES * side**2:
                    raise ValueError(f"its layer {shown(layer.name)} makes {values} values of an image")


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """All layers and operations, those of networks within it too."""
    for layer in getattr(model, "operations", None) or model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from _layers(layer)


def _shapes(variables: list[keras.Variable]) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in variables]


def _say_not_finite(file: Path, model: SSD) -> None:
    wrong = [variable.path for variable in model.weights if not np.isfinite(np.asarray(variable)).all()]
    if wrong:
        log.warning(
            "%s has weights that are no finite numbers, in %d variables: the first is %s", file, len(wrong), wrong[0]
        )
