"""The data set of a configuration. What lies in files is read before TensorFlow is imported, and once for a command."""

import json
import logging
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.config.instantiate import instantiate
from ssd.data.images import MAX_PIXELS
from ssd.data.listening import listening, say
from ssd.data.oddities import say_oddities
from ssd.data.sample import Dataset, Splits
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
    arguments = {key: value for key, value in cfg.dataset.items() if key not in ("pretrained_weights", "max_pixels")}
    splits = instantiate(OmegaConf.create(arguments), "dataset")
    if not isinstance(splits, Splits) or not all(isinstance(part, Dataset) for part in (splits.train, splits.val)):
        target = cfg.dataset["_target_"]
        raise UserError(f"dataset: {target} gave {kind_of(splits)}; it must give ssd.data.sample.Splits of two Dataset")
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    say_oddities(splits)
    return Splits(replace(splits.train, max_pixels=limit), replace(splits.val, max_pixels=limit))
