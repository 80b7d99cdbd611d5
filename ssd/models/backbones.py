"""Backbones: a keras.Model from uint8 RGB images to a list of feature maps, finest first.

A user's own backbone is any function with `image_size` and the arguments in its YAML that returns such a model.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError, first_line
from ssd.models.layers import L2Norm, Preprocess
from ssd.models.mobilenet_v3 import mobilenet_v3_large_body
from ssd.suggest import nearest

# torchvision's SSDLite. keras.applications' 0.999 follows the statistics only after thousands of steps: a detector
# trained for an hour would be validated with the statistics it started from.
BATCH_NORM_MOMENTUM = 0.97
Arrays = list[NDArray[np.float32]]
IMAGENET_MEAN_BGR = (103.939, 116.779, 123.68)


def vgg16(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    mean: Sequence[float] = IMAGENET_MEAN_BGR,
) -> keras.Model:
    """The reduced VGG16 of SSD (paper, section 3): pool5 3x3 with stride 1, fc6 and fc7 as convolutions, no dropout.

    Args:
        image_size: side of the square input in pixels.
        weights: "imagenet" (keras.applications downloads the convolutions, 59 MB), "imagenet_full" (the classifier,
            553 MB), a file of keras.applications' VGG16 with or without top, or None for a random start. fc6 and fc7
            are subsampled from the classifier's dense layers where those are there, else they start from Xavier's
            initialisation.
        feature_layers: names of the layers whose output is a feature map; block4_conv3 passes through L2Norm.
        freeze_until: this layer and all before it keep their weights; None trains all.
        mean: removed from the 0-255 pixels, BGR; the one the weights were trained with.

    Returns:
        A model (B, S, S, 3) uint8 → list of feature maps.

    Raises:
        UserError: weights that cannot be loaded, or a layer name that does not exist.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    # keras.applications' "caffe" preprocessing: BGR with the ImageNet mean removed.
    pixels = Preprocess(1.0, list(mean), bgr=True, name="preprocess")(images)
    hidden = _vgg16_body(pixels)
    hidden = keras.layers.MaxPooling2D(3, strides=1, padding="same", name="pool5")(hidden)
    hidden = keras.layers.Conv2D(1024, 3, padding="same", dilation_rate=6, activation="relu", name="fc6")(hidden)
    hidden = keras.layers.Conv2D(1024, 1, activation="relu", name="fc7")(hidden)
    model = keras.Model(images, hidden)
    if weights is not None:
        _copy_layers(_vgg16_source(weights), model)
    maps = [
        L2Norm(name=f"{name}_norm")(output) if name == "block4_conv3" else output
        for name, output in zip(feature_layers, _outputs(model, feature_layers), strict=True)
    ]
    _freeze(model, freeze_until, batch_norm=False)
    return keras.Model(images, maps, name="vgg16")


def _vgg16_source(weights: str) -> dict[str, Arrays]:
    """Weights of the reduced VGG16's layers, by layer name, from keras.applications' VGG16.

    Raises:
        UserError: weights that cannot be loaded.
    """
    full = weights == "imagenet_full" or (weights != "imagenet" and _has_dense_layers(Path(weights)))
    source = _application(
        keras.applications.VGG16, "imagenet" if weights == "imagenet_full" else weights, include_top=full
    )
    layers = {layer.name: layer.get_weights() for layer in source.layers if layer.weights}
    return subsample_classifier(layers) if full else layers


def subsample_classifier(layers: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """VGG16's layers with fc6, 3x3x512 → 1024, and fc7, 1x1x1024 → 1024, in the place of the dense ones.

    Of fc1's 7x7x512 → 4096 every third row and column and every fourth output stay, of fc2 every fourth input and
    output (SSD paper, section 3, "subsample parameters"; these strides in lufficc/SSD and pierluigiferrari/ssd_keras).
    """
    body = {name: values for name, values in layers.items() if name not in ("fc1", "fc2", "predictions")}
    (fc1, bias1), (fc2, bias2) = layers["fc1"], layers["fc2"]
    fc6 = fc1.reshape(7, 7, 512, 4096)[::3, ::3, :, ::4]  # Keras flattens row, column, channel
    return body | {"fc6": [fc6, bias1[::4]], "fc7": [fc2[None, None, ::4, ::4], bias2[::4]]}


def _has_dense_layers(file: Path) -> bool:
    """Whether an HDF5 file holds a classifier's first dense layer; False also where it is no HDF5 file at all."""
    found = False

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal found
        found = found or (isinstance(item, h5py.Dataset) and item.shape == (7 * 7 * 512, 4096))

    with contextlib.suppress(OSError), h5py.File(file) as content:
        content.visititems(visit)
    return found


def _copy_layers(source: Mapping[str, Arrays], model: keras.Model) -> None:
    for name, values in source.items():
        model.get_layer(name).set_weights(values)


def _vgg16_body(hidden: keras.KerasTensor) -> keras.KerasTensor:
    """conv1_1 to conv5_3 under keras.applications' names, but with pools that round up (75 → 38), as Caffe's do."""
    for block, (convolutions, filters) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], start=1):
        if block > 1:
            hidden = keras.layers.MaxPooling2D(2, padding="same", name=f"block{block - 1}_pool")(hidden)
        for index in range(1, convolutions + 1):
            hidden = keras.layers.Conv2D(
                filters, 3, padding="same", activation="relu", name=f"block{block}_conv{index}"
            )(hidden)
    return hidden


def mobilenet_v2(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    freeze_batch_norm: bool = False,
    alpha: float = 1.0,
) -> keras.Model:
    """MobileNetV2 (arXiv 1801.04381), its feature maps as in section 6.2: block 13's expansion and the last layer.

    Args:
        image_size: side of the square input in pixels.
        weights: "imagenet", a `.weights.h5` file of keras.applications' MobileNetV2 without top, or None.
        feature_layers: names of the layers whose output is a feature map.
        freeze_until: this layer and all before it keep their weights; None trains all.
        freeze_batch_norm: batch norms keep the statistics and factors they were loaded with.
        alpha: width multiplier; pretrained weights must have the same.

    Returns:
        A model (B, S, S, 3) uint8 → list of feature maps.

    Raises:
        UserError: weights that cannot be loaded, or a layer name that does not exist.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1 / 127.5, [1.0, 1.0, 1.0], name="preprocess")(images)
    body = _application(keras.applications.MobileNetV2, weights, input_tensor=pixels, alpha=alpha)
    for layer in body.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = BATCH_NORM_MOMENTUM
    maps = _outputs(body, feature_layers)
    _freeze(body, freeze_until, freeze_batch_norm)
    return keras.Model(images, maps, name="mobilenet_v2")


def mobilenet_v3_large(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    freeze_until: str | None = None,
    freeze_batch_norm: bool = False,
    reduced_tail: bool = False,
    symmetric_padding: bool = False,
) -> keras.Model:
    """MobileNetV3-Large (arXiv 1905.02244); section 6.3: maps from block 12's expansion and the last layer.

    Args:
        image_size: side of the square input in pixels.
        weights: "imagenet", a `.weights.h5` file of keras.applications' MobileNetV3Large without top, or None.
        feature_layers: names of the layers whose output is a feature map.
        freeze_until: this layer and all before it keep their weights; None trains all.
        freeze_batch_norm: batch norms keep the statistics and factors they were loaded with.
        reduced_tail: half the filters behind stride 32; there are no pretrained classifiers of it.
        symmetric_padding: as PyTorch pads; keras.applications' weights were trained without.

    Returns:
        A model (B, S, S, 3) uint8 → list of feature maps.

    Raises:
        UserError: weights that cannot be loaded, or a layer name that does not exist.
    """
    if weights is not None and reduced_tail:
        raise UserError(
            f"backbone.weights={weights} has the full tail of MobileNetV3; set backbone.reduced_tail=false, or "
            "backbone.weights=null to train from random weights"
        )
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1 / 127.5, [1.0, 1.0, 1.0], name="preprocess")(images)
    hidden = mobilenet_v3_large_body(pixels, reduced_tail, symmetric_padding, BATCH_NORM_MOMENTUM)
    model = keras.Model(images, hidden)
    if weights is not None:
        source = _application(keras.applications.MobileNetV3Large, weights, input_shape=(224, 224, 3))
        _copy_layers({layer.name: layer.get_weights() for layer in source.layers if layer.weights}, model)
    maps = _outputs(model, feature_layers)
    _freeze(model, freeze_until, freeze_batch_norm)
    return keras.Model(images, maps, name="mobilenet_v3_large")


def _application(
    build: Callable[..., keras.Model], weights: str | None, include_top: bool = False, **arguments: Any
) -> keras.Model:
    """A network of keras.applications, with its weights or a sentence that says why not."""
    try:
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


def _outputs(model: keras.Model, names: Sequence[str]) -> list[keras.KerasTensor]:
    known = [layer.name for layer in model.layers]
    for name in names:
        if name not in known:
            raise UserError(f"backbone.feature_layers: there is no layer '{name}'{nearest(name, known)}")
    return [model.get_layer(name).output for name in names]


def _freeze(model: keras.Model, until: str | None, batch_norm: bool) -> None:
    """Freezes the layers up to `until` and, on request, every batch norm (which then uses its stored statistics)."""
    names = [layer.name for layer in model.layers]
    if until is not None and until not in names:
        raise UserError(f"backbone.freeze_until: there is no layer '{until}'{nearest(until, names)}")
    frozen = names.index(until) + 1 if until else 0
    for index, layer in enumerate(model.layers):
        if index < frozen or (batch_norm and isinstance(layer, keras.layers.BatchNormalization)):
            layer.trainable = False
