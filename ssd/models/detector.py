"""The SSD network: backbone, extra layers and heads; images in, offsets and logits over all priors out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from math import log2
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.inference.decoder import NMSSettings
from ssd.models.layers import pad, separable_conv
from ssd.models.priors import PriorLevel, build_priors


@dataclass(frozen=True)
class ExtraLevel:
    """One level behind the backbone: 1x1 convolution to `squeeze` filters, then kernel x kernel to `filters`."""

    squeeze: int
    filters: int
    kernel: int
    stride: int
    padding: int

    def cells(self, cells: int) -> int:
        """Side of the map that this level makes of a map with side `cells`."""
        return (cells + 2 * self.padding - self.kernel) // self.stride + 1


@dataclass(frozen=True)
class PriorSpec:
    """How priors follow from the feature maps.

    Attributes:
        scales: minimum size per level as a fraction of the image, then the tail: levels + 1 values.
        aspect_ratios: per level, without 1 and without reciprocals.
        steps: "stride" (Caffe: the stride of a level where padded layers lead to it, else image / map) or
            "feature_map" (torchvision: image / map everywhere).
        clip: limit height and width to the image.
    """

    scales: tuple[float, ...]
    aspect_ratios: tuple[tuple[float, ...], ...]
    steps: str
    clip: bool


@keras.saving.register_keras_serializable("ssd")
class SSD(keras.Model):
    """Single Shot MultiBox Detector (arXiv 1512.02325; SSDLite: arXiv 1801.04381, section 6.2).

    Called with (B, S, S, 3) uint8 RGB images it returns a dict of float32 tensors: "offsets" (B, P, 4) and "logits"
    (B, P, C + 1), background first. It holds all that a detector needs to be used: class names, priors, variances.

    Args:
        backbone: model from images to a list of feature maps, finest first.
        class_names: C names, without background.
        extras: the levels behind the backbone. Where a map is too small for them (a small image, or a backbone with
            stride 32), all become 3x3 with stride 2 and padding 1, so that any image size gives a map per level.
        priors: how priors follow from the maps.
        variances: of the offsets, for cy, cx, height, width (Caffe: 0.1, 0.1, 0.2, 0.2).
        separable: SSDLite's depthwise separable convolutions in extras and heads.
        nms: how its outputs are decoded.

    Raises:
        UserError: where scales or aspect ratios do not fit the number of feature maps.
    """

    def __init__(
        self,
        backbone: keras.Model,
        class_names: Sequence[str],
        extras: Sequence[ExtraLevel],
        priors: PriorSpec,
        variances: Sequence[float],
        separable: bool,
        nms: NMSSettings,
        **kwargs: Any,
    ) -> None:
        # --- Feature maps ---
        maps = list(backbone.outputs)
        image_size = int(backbone.input_shape[1])
        maps += _extra_maps(maps[-1], extras, separable)
        levels = _prior_levels(image_size, [int(m.shape[1]) for m in maps], len(backbone.outputs), extras, priors)

        # --- Heads ---
        offsets, logits = [], []
        for index, (features, level) in enumerate(zip(maps, levels, strict=True)):
            shapes = len(level.shapes)
            offsets.append(_head(features, shapes, 4, separable, f"box_head_{index}"))
            logits.append(_head(features, shapes, len(class_names) + 1, separable, f"class_head_{index}"))
        outputs = {
            "offsets": keras.layers.Concatenate(axis=1, dtype="float32", name="offsets")(offsets),
            "logits": keras.layers.Concatenate(axis=1, dtype="float32", name="logits")(logits),
        }
        super().__init__(inputs=backbone.inputs[0], outputs=outputs, **kwargs)

        # --- Config ---
        self.backbone = backbone
        self.class_names = tuple(class_names)
        self.image_size = image_size
        self.extras = tuple(extras)
        self.prior_spec = priors
        self.prior_levels = tuple(levels)
        self.variances = tuple(variances)
        self.separable = separable
        self.nms = nms

    @cached_property
    def priors(self) -> NDArray[np.float32]:
        """(P, 4) float32 cy, cx, height, width as fractions of the image."""
        return build_priors(self.prior_levels, self.prior_spec.clip)

    def get_config(self) -> dict[str, Any]:
        """All constructor arguments."""
        return {
            "name": self.name,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "class_names": list(self.class_names),
            "extras": [asdict(extra) for extra in self.extras],
            "priors": asdict(self.prior_spec),
            "variances": list(self.variances),
            "separable": self.separable,
            "nms": asdict(self.nms),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Any = None) -> "SSD":
        """The model of `get_config`, with fresh weights."""
        spec = config["priors"]
        return cls(
            **{
                **config,
                "backbone": keras.saving.deserialize_keras_object(config["backbone"], custom_objects=custom_objects),
                "extras": [ExtraLevel(**extra) for extra in config["extras"]],
                "priors": PriorSpec(
                    tuple(spec["scales"]), tuple(map(tuple, spec["aspect_ratios"])), spec["steps"], spec["clip"]
                ),
                "nms": NMSSettings(**config["nms"]),
            }
        )


def _fits(cells: int, extras: Sequence[ExtraLevel]) -> bool:
    """Whether every extra level still has a map of at least one cell."""
    for extra in extras:
        cells = extra.cells(cells)
        if cells < 1:
            return False
    return True


def _fitting(cells: int, extras: Sequence[ExtraLevel]) -> list[ExtraLevel]:
    if _fits(cells, extras):
        return list(extras)
    return [ExtraLevel(extra.squeeze, extra.filters, kernel=3, stride=2, padding=1) for extra in extras]


def _extra_maps(features: keras.KerasTensor, extras: Sequence[ExtraLevel], separable: bool) -> list[keras.KerasTensor]:
    maps = []
    for index, extra in enumerate(_fitting(int(features.shape[1]), extras)):
        name = f"extra_{index}"
        features = _conv_relu(features, extra.squeeze, 1, 1, 0, False, f"{name}_squeeze", batch_norm=separable)
        features = _conv_relu(
            features, extra.filters, extra.kernel, extra.stride, extra.padding, separable, name, batch_norm=separable
        )
        maps.append(features)
    return maps


def _conv_relu(
    features: keras.KerasTensor,
    filters: int,
    kernel: int,
    stride: int,
    padding: int,
    separable: bool,
    name: str,
    batch_norm: bool,
) -> keras.KerasTensor:
    """Convolution and ReLU; with batch norm and ReLU6 in SSDLite (torchvision's ssdlite.py)."""
    if separable:
        features = separable_conv(features, filters, kernel, stride, padding, not batch_norm, name)
    else:
        features = keras.layers.Conv2D(filters, kernel, strides=stride, use_bias=not batch_norm, name=name)(
            pad(features, padding, name)
        )
    if batch_norm:
        features = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.97, name=f"{name}_bn")(features)
    return keras.layers.ReLU(6.0 if batch_norm else None, name=f"{name}_relu")(features)


def _head(features: keras.KerasTensor, shapes: int, values: int, separable: bool, name: str) -> keras.KerasTensor:
    """(B, H, W, F) → (B, H·W·A, K): channel a·K + k, so that a reshape needs no permutation."""
    if separable:
        output = separable_conv(features, shapes * values, 3, 1, 1, True, name)
    else:
        output = keras.layers.Conv2D(shapes * values, 3, padding="same", name=name)(features)
    return keras.layers.Reshape((-1, values), name=f"{name}_flat")(output)


def _prior_levels(
    image_size: int, cells: Sequence[int], from_backbone: int, extras: Sequence[ExtraLevel], spec: PriorSpec
) -> list[PriorLevel]:
    """One PriorLevel per feature map, its step found as `spec.steps` says."""
    for key, expected, given in (
        ("detector.aspect_ratios", len(cells), len(spec.aspect_ratios)),
        ("detector.scales", len(cells) + 1, len(spec.scales)),
    ):
        if given != expected:
            raise UserError(
                f"{key} has {given} entries, but the detector has {len(cells)} feature maps (sides {list(cells)}) and "
                f"needs {expected}; change it, detector.extras or backbone.feature_layers"
            )
    strides = _strides(image_size, cells, from_backbone, extras) if spec.steps == "stride" else [None] * len(cells)
    return [
        PriorLevel(side, stride / image_size if stride else 1 / side, spec.scales[k], spec.scales[k + 1], ratios)
        for k, (side, stride, ratios) in enumerate(zip(cells, strides, spec.aspect_ratios, strict=True))
    ]


def _strides(
    image_size: int, cells: Sequence[int], from_backbone: int, extras: Sequence[ExtraLevel]
) -> list[int | None]:
    """Pixels between cells where padded layers lead to a level (8, 16, 32, 64 in SSD300), None behind unpadded ones."""
    strides: list[int | None] = [2 ** round(log2(image_size / side)) for side in cells[:from_backbone]]
    as_given = _fits(cells[from_backbone - 1], extras)
    for extra in extras:
        previous = strides[-1]
        regular = as_given and extra.kernel == 3 and extra.padding == 1
        strides.append(previous * extra.stride if previous and regular else None)
    return strides
