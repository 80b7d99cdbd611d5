"""The data set of a configuration. What lies in files is read before TensorFlow is imported, and once for a command."""

import json
import logging
from dataclasses import fields, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.config.groups import DatasetConfig, JoinedConfig
from ssd.config.instantiate import instantiate
from ssd.data.images import MAX_PIXELS
from ssd.data.joining import joined, with_negatives
from ssd.data.listening import listening, say
from ssd.data.oddities import say_oddities
from ssd.data.sample import Dataset, Splits
from ssd.data.selection import both, ignoring, limited, merges_of, of_classes, without_empty_classes
from ssd.errors import UserError, kind_of

# Read ahead by `read_ahead`: the data set, and what its reader had to say, which belongs into the run's log.
_ahead: dict[str, tuple[Splits, list[logging.LogRecord]]] = {}


def read_ahead(configs: list[DictConfig]) -> None:
    """Reads the data sets of configurations, so that mistakes in them are said at once; those of before are forgotten.

    Raises:
        UserError: whatever is wrong with one.
    """
    _ahead.clear()
    for cfg in configs:
        if (key := _key(cfg)) not in _ahead:
            with listening("ssd.record") as heard:
                splits = _build(cfg)
            _ahead[key] = splits, heard


def build_splits(cfg: DictConfig) -> Splits:
    """The data set's two splits.

    Raises:
        UserError: whatever is wrong with it.
    """
    if (found := _ahead.get(_key(cfg))) is None:
        return _build(cfg)
    splits, said = found
    say(said)
    return splits


def _key(cfg: DictConfig) -> str:
    """What the data set depends on; relative paths start from the current folder."""
    return json.dumps([str(Path.cwd()), OmegaConf.to_container(cfg.dataset, resolve=True)], sort_keys=True, default=str)


def _build(cfg: DictConfig) -> Splits:
    splits = _selected(cfg.dataset, _read(cfg.dataset, "dataset"))
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    say_oddities(splits)
    return replace(splits, train=replace(splits.train, max_pixels=limit), val=replace(splits.val, max_pixels=limit))


def _read(node: DictConfig, key: str) -> Splits:
    """What the reader of a data set's configuration gives."""
    if node["_target_"] == JoinedConfig._target_:
        parts = {name: (part, f"{key}.parts.{name}") for name, part in node.parts.items()}
        return joined(
            {name: _selected(part, _read(part, place)) for name, (part, place) in parts.items()},
            OmegaConf.to_container(node.weights),  # type: ignore[arg-type]
            node.name,
        )
    ours = ("pretrained_weights", "max_pixels", *(item.name for item in fields(DatasetConfig)))
    splits = instantiate(OmegaConf.create({name: value for name, value in node.items() if name not in ours}), key)
    if not isinstance(splits, Splits) or not all(isinstance(part, Dataset) for part in (splits.train, splits.val)):
        target = node["_target_"]
        raise UserError(f"{key}: {target} gave {kind_of(splits)}; it must give ssd.data.sample.Splits of two Dataset")
    return splits


def _selected(node: DictConfig, splits: Splits) -> Splits:
    """What the configuration takes of it."""
    if (classes := node.get("classes")) is not None:
        merges = merges_of(OmegaConf.to_container(classes) if OmegaConf.is_config(classes) else classes)
        splits = both(splits, lambda data: of_classes(data, merges))
    difficult, smaller_than = node.get("ignore_difficult", False), node.get("ignore_smaller_than") or 0.0
    if difficult or smaller_than:
        splits = both(splits, lambda data: ignoring(data, difficult, smaller_than))
    listed = classes is not None or node.get("class_names") is not None
    if not listed and not node.get("keep_empty_classes", False):
        splits = without_empty_classes(splits)
    if (limits := (node.get("limit_train"), node.get("limit_val"))) != (None, None):
        splits = replace(splits, train=limited(splits.train, limits[0]), val=limited(splits.val, limits[1]))
    if (folder := node.get("negatives")) is not None:
        splits = replace(splits, train=with_negatives(splits.train, folder))
    return splits
