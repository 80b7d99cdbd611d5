"""VGG16 (arXiv 1409.1556) as SSD reduces it."""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import keras

from ssd.models.backbones.common import Arrays, copy_layers, freeze, from_applications, outputs_of
from ssd.models.layers import L2Norm, Preprocess


def vgg16(
    image_size: int,
    weights: str | None,
    feature_layers: Sequence[str],
    mean: Sequence[float],
    freeze_until: str | None = None,
) -> keras.Model:
    """The reduced VGG16 of SSD (paper, section 3): pool5 3x3 with stride 1, fc6 and fc7 as convolutions, no dropout.

    Args, beside those that all have:
        weights: also "imagenet_full", or a file with top (the classifier, 553 MB): fc6 and fc7 are subsampled from its
            dense layers, else they start from Xavier's initialisation.
        feature_layers: block4_conv3 passes through L2Norm.
        mean: removed from the 0-255 pixels, BGR; the one the weights were trained with.
    """
    images = keras.Input((image_size, image_size, 3), dtype="uint8", name="image")
    pixels = Preprocess(1.0, list(mean), bgr=True, name="preprocess")(images)
    hidden = _vgg16_body(pixels)
    hidden = keras.layers.MaxPooling2D(3, strides=1, padding="same", name="pool5")(hidden)
    hidden = keras.layers.Conv2D(1024, 3, padding="same", dilation_rate=6, activation="relu", name="fc6")(hidden)
    hidden = keras.layers.Conv2D(1024, 1, activation="relu", name="fc7")(hidden)
    model = keras.Model(images, hidden)
    if weights is not None:
        copy_layers(_vgg16_layers(weights), model)
    maps = [
        L2Norm(name=f"{name}_norm")(output) if name == "block4_conv3" else output
        for name, output in zip(feature_layers, outputs_of(model, feature_layers), strict=True)
    ]
    freeze(model, freeze_until, batch_norm=False)
    return keras.Model(images, maps, name="vgg16")


def _vgg16_layers(weights: str) -> dict[str, Arrays]:
    """Weights of the reduced VGG16's layers, by layer name, from keras.applications' VGG16.

    Raises:
        UserError: weights that cannot be loaded.
    """
    full = weights == "imagenet_full" or (weights != "imagenet" and _has_dense_layers(Path(weights)))
    found = from_applications(
        keras.applications.VGG16, "imagenet" if weights == "imagenet_full" else weights, include_top=full
    )
    layers = {layer.name: layer.get_weights() for layer in found.layers if layer.weights}
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
