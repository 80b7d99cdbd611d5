"""Starting a detector from another one's weights: what fits is kept, class by class, and what is not is said."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ssd.errors import UserError
from ssd.models.detector import SSD
from ssd.weights.reader import TrainedWeights

# What VOC and COCO call differently, beside spaces ("dining table", "potted plant").
_SYNONYMS = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}


@dataclass(frozen=True)
class Transfer:
    """What was kept.

    Attributes:
        kept: names of the layers that have all their weights.
        fresh: names of the layers that have none: their shape is another one.
        classes: for each class of the new detector the class it continues, or None.
    """

    kept: tuple[str, ...]
    fresh: tuple[str, ...]
    classes: dict[str, str | None]

    @property
    def complete(self) -> bool:
        """Whether nothing is left at its initial value."""
        return not self.fresh and None not in self.classes.values()

    def of_classes(self) -> str:
        """What is known of the classes, for a line: "its rows of cat, dog are kept; 3 classes start anew"."""
        known = [_continued(new, old) for new, old in self.classes.items() if old]
        fresh = len(self.classes) - len(known)
        parts = [f"its rows of {', '.join(known)} are kept"] if known else []
        parts += [f"{fresh} class{'es' if fresh > 1 else ''} start{'' if fresh > 1 else 's'} anew"] if fresh else []
        return "; ".join(parts)

    def describe(self) -> str:
        """A sentence or three for the log."""
        known = [_continued(new, old) for new, old in self.classes.items() if old]
        new = [name for name, old in self.classes.items() if old is None]
        parts = [f"kept {len(self.kept)} of {len(self.kept) + len(self.fresh)} layers"]
        fresh = _head_levels(self.fresh)
        if kept := _head_levels(self.kept) - fresh:
            levels = f"{len(kept)} of {len(kept | fresh)} class heads" if fresh else "the class heads"
            parts.append(f"{levels} with the rows of {', '.join(['background', *known])}")
        if new:
            parts.append(f"new classes, from their initial values: {', '.join(new)}")
        if self.fresh:
            parts.append(f"from their initial values, as their shape is another: {', '.join(self.fresh)}")
        return "; ".join(parts)


def _continued(new: str, old: str) -> str:
    return new if new == old else f"{new} (from {old})"


def weights_of(model: SSD, origin: str) -> TrainedWeights:
    """The weights of a detector, by layer."""
    layers = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    return TrainedWeights(origin, model.class_names, layers)


def transfer(weights: TrainedWeights, model: SSD) -> Transfer:
    """Starts `model` from trained weights. Layers are the same where name and shapes are.

    The backbone must fit as a whole. Of the class heads, background and every class that both know under a name keep
    their rows; the others keep the values `model` has. Extra layers and box heads are kept where their shapes allow.

    Raises:
        UserError: where the backbone is another one.
    """
    _check_backbone(weights, model)
    classes = match_classes(model.class_names, weights.class_names)
    kept, fresh = [], []
    for layer in model.layers:
        if not layer.weights:
            continue
        theirs = weights.layers.get(layer.name)
        ours = layer.get_weights()
        if theirs is not None and _is_class_head(layer.name, ours):
            theirs = _rows(theirs, ours, weights.class_names, classes)
        if theirs is None or [a.shape for a in theirs] != [a.shape for a in ours]:
            fresh.append(layer.name)
        else:
            layer.set_weights(theirs)
            kept.append(layer.name)
    if not any(name.startswith("class_head_") for name in kept):
        classes = dict.fromkeys(classes)
    return Transfer(tuple(kept), tuple(fresh), classes)


def match_classes(wanted: Sequence[str], known: Sequence[str]) -> dict[str, str | None]:
    """For each wanted class the known class of the same name, whatever its capitals, spaces and hyphens, or None.

    VOC's and COCO's names for one thing count as one name. An exact name goes before a similar one.
    """
    by_key = {_key(name): name for name in known}
    return {name: name if name in known else by_key.get(_key(name)) for name in wanted}


def _key(name: str) -> str:
    plain = re.sub(r"[\W_]", "", name.lower())
    return _SYNONYMS.get(plain, plain)


def _check_backbone(weights: TrainedWeights, model: SSD) -> None:
    for layer in model.backbone.layers:
        if layer.weights:
            theirs = [array.shape for array in weights.layers.get(layer.name, [])]
            if theirs != [tuple(variable.shape) for variable in layer.weights]:
                raise UserError(
                    f"{weights.origin} does not fit backbone={model.backbone.name} (at its layer {layer.name}); "
                    "use the backbone it was trained with, with the same settings"
                )


def _head_levels(names: Sequence[str]) -> set[str]:
    """The levels whose class heads are among layers: "3" of class_head_3 and of class_head_3_pointwise."""
    return {name.split("_")[2] for name in names if name.startswith("class_head_")}


def _is_class_head(name: str, arrays: Sequence[NDArray[np.float32]]) -> bool:
    """Whether a layer gives logits: the convolution of a head, not the depthwise part before it."""
    return name.startswith("class_head_") and len(arrays) == 2


def _rows(
    theirs: Sequence[NDArray[np.float32]],
    ours: Sequence[NDArray[np.float32]],
    known: Sequence[str],
    classes: dict[str, str | None],
) -> list[NDArray[np.float32]] | None:
    """Our arrays with the channels of the classes that both have; None where the priors per cell differ.

    Channel a · (C + 1) + k is the logit of class k (0: background) for prior a of a cell.
    """
    if theirs[1].size // (len(known) + 1) != ours[1].size // (len(classes) + 1):
        return None
    pairs = [(0, 0)]
    pairs += [(k, known.index(old) + 1) for k, old in enumerate(classes.values(), start=1) if old is not None]
    new, old = (list(column) for column in zip(*pairs, strict=True))
    merged = []
    for their, our in zip(theirs, ours, strict=True):
        mine = our.reshape(*our.shape[:-1], -1, len(classes) + 1).copy()
        if mine.shape[:-1] != (*their.shape[:-1], mine.shape[-2]):
            return None
        mine[..., new] = their.reshape(*their.shape[:-1], -1, len(known) + 1)[..., old]
        merged.append(mine.reshape(our.shape))
    return merged
