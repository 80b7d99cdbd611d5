"""What the backbones share: weights of keras.applications, feature maps by name, freezing."""

import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError, first_line, nearest

_SECONDS = 10  # that a server may be silent
Arrays = list[NDArray[np.float32]]


def copy_layers(layers: Mapping[str, Arrays], model: keras.Model) -> None:
    """Puts weights, by layer name as `get_weights` gives them, into a model that has these layers."""
    for name, values in layers.items():
        model.get_layer(name).set_weights(values)


def from_applications(
    build: Callable[..., keras.Model], weights: str | None, include_top: bool = False, **arguments: Any
) -> keras.Model:
    """A network of keras.applications, with its weights or a sentence that says why not."""
    patience = socket.getdefaulttimeout()
    try:
        socket.setdefaulttimeout(_SECONDS)  # Keras' download has none of its own, and would wait for minutes
        return build(include_top=include_top, weights=weights, **arguments)
    except Exception as error:  # h5py, Keras and the download raise many kinds
        if weights == "imagenet":
            raise UserError(
                f"backbone.weights=imagenet could not be downloaded ({first_line(error)}); connect to the internet, "
                "or give backbone.weights=FILE.weights.h5, or backbone.weights=null for random weights"
            ) from error
        if weights is not None and Path(weights).exists():
            raise UserError(
                f"backbone.weights={weights} does not fit {build.__name__} without top ({first_line(error)}); give "
                f"weights saved from keras.applications.{build.__name__}(include_top=False) of the same alpha"
            ) from error
        raise
    finally:
        socket.setdefaulttimeout(patience)


def outputs_of(model: keras.Model, names: Sequence[str]) -> list[keras.KerasTensor]:
    """The outputs of the layers that `backbone.feature_layers` names.

    Raises:
        UserError: there is no such layer.
    """
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            raise UserError(f"backbone.feature_layers: there is no layer '{name}'{nearest(name, known)}")
    return [model.get_layer(name).output for name in names]


def freeze(model: keras.Model, until: str | None, batch_norm: bool) -> None:
    """Freezes the layers up to `until` and, on request, every batch norm (which then uses its stored statistics).

    Raises:
        UserError: there is no layer `until`.
    """
    names = [layer.name for layer in model.layers]
    if until is not None and until not in names:
        raise UserError(f"backbone.freeze_until: there is no layer '{until}'{nearest(until, names)}")
    frozen = names.index(until) + 1 if until else 0
    for index, layer in enumerate(model.layers):
        if index < frozen or (batch_norm and isinstance(layer, keras.layers.BatchNormalization)):
            layer.trainable = False
