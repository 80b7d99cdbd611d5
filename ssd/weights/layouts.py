"""How other projects name the weights of their detectors, and which configuration builds the same network."""

from collections.abc import Sequence
from dataclasses import dataclass

Pairs = list[tuple[str, str]]  # our layer's name, and the prefix of its weights' names (of an only weight: its name)

_VGG16_CONVOLUTIONS = [
    f"block{block}_conv{index}" for block, count in enumerate((2, 2, 3, 3, 3), start=1) for index in range(1, count + 1)
]


@dataclass(frozen=True)
class Layout:
    """One kind of weights file.

    Attributes:
        title: what it holds, for people.
        overrides: of the configuration, for the same network, preprocessing, priors and NMS.
        pairs: our layers and the prefixes of their weights in the file, class heads included.
        published: the name of the weights that its authors publish (`ssd.weights.published`).
    """

    title: str
    overrides: tuple[str, ...]
    pairs: Pairs
    published: str | None = None


def _numbered(name: str, prefixes: Sequence[str]) -> Pairs:
    return [(name.format(index), prefix) for index, prefix in enumerate(prefixes)]


def _amdegroot_ssd300() -> Pairs:
    """amdegroot/ssd.pytorch, ssd.py: ReLUs and pools count in the numbers of `vgg`."""
    body = [f"vgg.{index}" for index in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)]
    return [
        *zip(_VGG16_CONVOLUTIONS, body, strict=True),
        ("block4_conv3_norm", "L2Norm.weight"),
        ("fc6", "vgg.31"),
        ("fc7", "vgg.33"),
        *_numbered("extra_{}_squeeze", [f"extras.{2 * level}" for level in range(4)]),
        *_numbered("extra_{}", [f"extras.{2 * level + 1}" for level in range(4)]),
        *_numbered("box_head_{}", [f"loc.{level}" for level in range(6)]),
        *_numbered("class_head_{}", [f"conf.{level}" for level in range(6)]),
    ]


def _torchvision_ssd300() -> Pairs:
    """torchvision, models/detection/ssd.py, SSDFeatureExtractorVGG: conv5, pool5, fc6 and fc7 are its first extra."""
    body = [f"backbone.features.{index}" for index in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)]
    return [
        *zip(_VGG16_CONVOLUTIONS, [*body, *(f"backbone.extra.0.{index}" for index in (1, 3, 5))], strict=True),
        ("block4_conv3_norm", "backbone.scale_weight"),
        ("fc6", "backbone.extra.0.7.1"),
        ("fc7", "backbone.extra.0.7.3"),
        *_numbered("extra_{}_squeeze", [f"backbone.extra.{level}.0" for level in range(1, 5)]),
        *_numbered("extra_{}", [f"backbone.extra.{level}.2" for level in range(1, 5)]),
        *_numbered("box_head_{}", [f"head.regression_head.module_list.{level}" for level in range(6)]),
        *_numbered("class_head_{}", [f"head.classification_head.module_list.{level}" for level in range(6)]),
    ]


def _torchvision_ssdlite() -> Pairs:
    """torchvision, models/detection/ssdlite.py: block 12 is cut behind its expansion, the first feature map."""
    pairs = _with_norm("conv", "backbone.features.0.0")
    for index in range(12):
        pairs += _bottleneck(index, [f"backbone.features.0.{index + 1}.block.{part}" for part in range(4)])
    pairs += _bottleneck(12, ["backbone.features.0.13", *(f"backbone.features.1.0.{part}" for part in (1, 2, 3))])
    for index in (13, 14):
        pairs += _bottleneck(index, [f"backbone.features.1.{index - 12}.block.{part}" for part in range(4)])
    pairs += _with_norm("conv_1", "backbone.features.1.3")
    for level in range(4):
        prefix = f"backbone.extra.{level}"
        pairs += _with_norm(f"extra_{level}_squeeze", f"{prefix}.0")
        pairs += _with_norm(f"extra_{level}_depthwise", f"{prefix}.1")
        pairs += [(f"extra_{level}_pointwise", f"{prefix}.2.0"), (f"extra_{level}_bn", f"{prefix}.2.1")]
    for level in range(6):
        for head, theirs in (("box_head", "regression_head"), ("class_head", "classification_head")):
            prefix = f"head.{theirs}.module_list.{level}"
            pairs += _with_norm(f"{head}_{level}_depthwise", f"{prefix}.0")
            pairs += [(f"{head}_{level}_pointwise", f"{prefix}.1")]
    return pairs


def _with_norm(name: str, prefix: str) -> Pairs:
    """A convolution and its batch norm, torchvision's Conv2dNormActivation."""
    return [(name, f"{prefix}.0"), (f"{name}_bn", f"{prefix}.1")]


def _bottleneck(index: int, parts: Sequence[str]) -> Pairs:
    """Block `index` of MobileNetV3; only those that have the part use the prefix of squeeze and excite."""
    name = f"expanded_conv_{index}" if index else "expanded_conv"
    if not index:  # no expansion
        return _with_norm(f"{name}_depthwise", parts[0]) + _with_norm(f"{name}_project", parts[1])
    pairs = _with_norm(f"{name}_expand", parts[0]) + _with_norm(f"{name}_depthwise", parts[1])
    if index in (3, 4, 5, 10, 11, 12, 13, 14):
        squeeze_excite, project = parts[2:]
        gate = f"{name}_squeeze_excite_conv"
        pairs += [(gate, f"{squeeze_excite}.fc1"), (f"{gate}_1", f"{squeeze_excite}.fc2")]
    else:
        project = parts[2]
    return pairs + _with_norm(f"{name}_project", project)


LAYOUTS: dict[str, tuple[Layout, ...]] = {
    "torchvision": (
        Layout(
            "torchvision's ssd300_vgg16",
            (
                "backbone=vgg16",
                "backbone.mean=[103.9992,116.9991,122.99925]",  # (0.40784, 0.45882, 0.48235) · 255
                "detector=ssd300_coco",
                "detector.clip_priors=true",
            ),
            _torchvision_ssd300(),
            "ssd300_vgg16",
        ),
        Layout(
            "torchvision's ssdlite320_mobilenet_v3_large",
            (
                "backbone=mobilenet_v3_large",
                "backbone.reduced_tail=true",
                "backbone.symmetric_padding=true",
                "detector=ssdlite320",
            ),
            _torchvision_ssdlite(),
            "ssdlite320_mobilenet_v3_large",
        ),
    ),
    "amdegroot": (
        Layout(
            "amdegroot's SSD300",
            (
                "backbone=vgg16",
                "backbone.mean=[104,117,123]",  # data/config.py
                "detector=ssd300",
                "detector.clip_priors=true",
                "detector.max_per_class=200",
            ),
            _amdegroot_ssd300(),
        ),
    ),
}


def brought_by(weights: str | None) -> frozenset[str]:
    """The overrides that some file of the project which "torchvision:FILE" names brings with it."""
    layouts = LAYOUTS.get(weights.partition(":")[0], ()) if weights is not None else ()
    return frozenset(line for layout in layouts for line in layout.overrides)
