"""The SSD network: backbone, extra layers and heads; images in, offsets and logits over all priors out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.models.box_coder import BoxCoder
from ssd.models.extras import ExtraLevel, extra_maps, strides
from ssd.models.layers import separable_conv
from ssd.models.priors import PriorLevel, build_priors


@dataclass(frozen=True)
class NMSSettings:
    """Non-maximum suppression as in SSD (paper, section 2.2 and 3.1: 0.01, 0.45, 200; Caffe: 400 per class enter)."""

    score_threshold: float
    iou: float
    max_per_class: int
    max_detections: int


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
        batch_norm: behind the convolutions of ordinary extras too, as behind separable ones.

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
        batch_norm: bool = False,
        **kwargs: Any,
    ) -> None:
        # --- Feature maps ---
        maps = list(backbone.outputs)
        image_size = int(backbone.input_shape[1])
        maps += extra_maps(maps[-1], extras, separable, batch_norm)
        levels = prior_levels(image_size, [int(m.shape[1]) for m in maps], len(backbone.outputs), extras, priors)

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
        self.batch_norm = batch_norm

    @cached_property
    def priors(self) -> NDArray[np.float32]:
        """(P, 4) float32 cy, cx, height, width as fractions of the image."""
        return build_priors(self.prior_levels, self.prior_spec.clip)

    @cached_property
    def box_coder(self) -> BoxCoder:
        """Between boxes and this network's offsets."""
        return BoxCoder(self.priors, self.variances)

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
            "batch_norm": self.batch_norm,
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


def _head(features: keras.KerasTensor, shapes: int, values: int, separable: bool, name: str) -> keras.KerasTensor:
    """(B, H, W, F) → (B, H·W·A, K): channel a·K + k, so that a reshape needs no permutation."""
    if separable:
        output = separable_conv(features, shapes * values, 3, 1, 1, True, name)
    else:
        output = keras.layers.Conv2D(shapes * values, 3, padding="same", name=name)(features)
    return keras.layers.Reshape((-1, values), name=f"{name}_flat")(output)


def prior_levels(
    image_size: int, cells: Sequence[int], from_backbone: int, extras: Sequence[ExtraLevel], spec: PriorSpec
) -> list[PriorLevel]:
    """One PriorLevel per feature map, its step found as `spec.steps` says.

    Args:
        image_size: side in pixels of the network's images.
        cells: sides of all maps, finest first.
        from_backbone: how many of them are the backbone's.
        extras: the levels behind it.
        spec: of the detector.

    Raises:
        UserError: scales or aspect ratios do not fit the number of maps.
    """
    for key, expected, given in (
        ("detector.aspect_ratios", len(cells), len(spec.aspect_ratios)),
        ("detector.scales", len(cells) + 1, len(spec.scales)),
    ):
        if given != expected:
            raise UserError(
                f"{key} has {given} entries, but the detector has {len(cells)} feature maps (sides {list(cells)}) and "
                f"needs {expected}; change it, detector.extras or backbone.feature_layers"
            )
    steps = strides(image_size, cells, from_backbone, extras) if spec.steps == "stride" else [None] * len(cells)
    return [
        PriorLevel(side, stride / image_size if stride else 1 / side, spec.scales[k], spec.scales[k + 1], ratios)
        for k, (side, stride, ratios) in enumerate(zip(cells, steps, spec.aspect_ratios, strict=True))
    ]
