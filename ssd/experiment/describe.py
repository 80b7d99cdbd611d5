"""A run in words, where runs are compared: MLflow's params and tags, the report's settings, the command."""

import json
import platform
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import psutil
import tensorflow as tf
from hydra.conf import HydraConf
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ssd.config.chosen import SAID
from ssd.config.overrides import key_of, without
from ssd.config.schemas import Priors
from ssd.inference.folding import policy_of
from ssd.runs.flat import flatten
from ssd.runs.folder import as_typed, run_of
from ssd.sweep.node import job_name, own_overrides, short_sweep_name, sweep_name
from ssd.tracking.values import CHOICES

# Groups whose chosen option is a param, and those whose settings are.
_NAMED = ("experiment", "backbone", "detector", "dataset", "augmentation", "optimizer", "schedule")
_SETTINGS = ("backbone", "detector", "dataset", "augmentation", "optimizer", "schedule", "training")
_SINGLE = ("seed", "checkpoint", "weights", "start", "chosen")
# What the chosen option says already, where a data set lies, and what only looks on.
_LEFT_OUT = (
    *("name", "_target_", "pretrained_weights", "pretrained_detector", "path", "data_dir", "archives"),
    *("diagnostics", "recipe"),
)
# Params that a reader asks for first.
_FIRST = (
    *("experiment", "backbone", "backbone.weights", "detector", "detector.image_size", "dataset", "augmentation"),
    *("optimizer", "optimizer.learning_rate", "schedule", "training.epochs", "training.minutes", "training.batch_size"),
    *("precision", "seed", "checkpoint", "weights", "start"),
)
_FITTED = ("detector.priors", "detector.scales", "detector.aspect_ratios")  # told where they are of the run's own
_PACKAGES = ("tensorflow", "keras", "albumentations", "mlflow")


def params(cfg: DictConfig, model: keras.Model, data: str) -> dict[str, str]:
    """What makes an experiment the one it is, in fewer than sixty entries.

    `backbone: mobilenet_v2` is the option chosen of a group, `backbone.alpha: 0.35` a setting of it. Left out is what
    changes no result (task, tracking, pipeline), and, unless it was set on the command line, what is null (not used) or
    a list of lists or of settings, for which the option's name stands. Whatever a sweep's job has for itself is among
    them. The whole configuration is in config.yaml.

    Args:
        cfg: of the run, resolved.
        model: that is trained or evaluated; its precision is told, where `cfg.precision` may be auto.
        data: which data it is judged by, as `dataset_label` says it: two folders are both read by voc_folder.
    """
    hydra = HydraConfig.get()
    config = plain_config(cfg)
    given = {key_of(line) for line in as_typed(hydra.overrides.task)}
    if cfg.detector.priors == Priors.fitted:
        given.add("detector.aspect_ratios")  # a result, too
    # a checkpoint outside of a run folder does not tell what it was trained with, and the configuration does not know
    unknown = (
        cfg.checkpoint is not None
        and cfg.task.name not in ("train", "reproduce")
        and run_of(Path(cfg.checkpoint)) is None
    )
    named, explained = (("dataset",), ("dataset",)) if unknown else (_NAMED, _SETTINGS)
    found = {group: str(option) for group in named if (option := hydra.runtime.choices.get(group)) is not None}
    for group in explained:
        for key, value in config[group].items():
            if key not in _LEFT_OUT and (f"{group}.{key}" in given or _is_plain(value)):
                found[f"{group}.{key}"] = readable(value)
    found["training.best_by"] = cfg.training.best_by  # what a report compares it by, also an evaluation
    found |= {"dataset": data, **{key: readable(config[key]) for key in _SINGLE if config[key] not in (None, [])}}
    return {**found, "precision": policy_of(model), **_own(config, hydra, found)}


def _is_plain(value: Any) -> bool:
    """Whether it is set, and short: no list of lists, nor of mappings."""
    nested = isinstance(value, list) and any(isinstance(item, list | Mapping) for item in value)
    return value is not None and not nested


def _own(config: Mapping[str, Any], hydra: HydraConf, found: Mapping[str, str]) -> dict[str, str]:
    """What a job of a sweep was given for itself and is not in `found`."""
    if hydra.mode != RunMode.MULTIRUN:
        return {}
    flat = flatten(config)
    own: dict[str, str] = {}
    for key, typed in own_overrides(hydra).items():
        below = {name: value for name, value in flat.items() if name == key or name.startswith(f"{key}.")}
        own |= {key: typed} if key in hydra.runtime.choices or not below else below
    return {key: value for key, value in own.items() if key not in found}


def settings(cfg: DictConfig, model: keras.Model, data: str) -> dict[str, str]:
    """The params that a reader of the report asks for first."""
    known = params(cfg, model, data)
    fitted = _FITTED if cfg.detector.priors == Priors.fitted else ()
    return {key: known[key] for key in (*_FIRST, *fitted) if key in known}


def tags(cfg: DictConfig, model: keras.Model, data: str) -> dict[str, str]:
    """What MLflow's table of runs shows and filters: the task, its main choices, the machine, the command."""
    hydra = HydraConfig.get()
    known = params(cfg, model, data)
    in_sweep = hydra.mode == RunMode.MULTIRUN
    job = {"job": str(hydra.job.num), "sweep": sweep_name(hydra)} if in_sweep else {}
    main = {key: known[key] for key in CHOICES if key in known}
    return {"task": cfg.task.name, **main, "device": hardware(), "command": command_line(), **job}


def run_name(cfg: DictConfig) -> str:
    """The run's name in MLflow; a job of a sweep has what varies and the sweep's, another task than a training says so.

    "learning_rate=0.003 · quick", "evaluate mobilenet_v2_ssd300_shapes"
    """
    hydra = HydraConfig.get()
    name = cfg.name if cfg.task.name == "train" else f"{cfg.task.name} {cfg.name}"
    if hydra.mode != RunMode.MULTIRUN:
        return str(name)
    return f"{job_name(own_overrides(hydra)) or name} · {short_sweep_name(hydra)}"


def plain_config(cfg: DictConfig) -> dict[str, Any]:
    """The configuration as plain containers, enums by name."""
    return dict(OmegaConf.to_container(cfg, resolve=True, enum_to_str=True))  # type: ignore[arg-type]


def readable(value: Any) -> str:
    """A value on one line, lists without their brackets: MLflow's page would put every entry on a line of its own.

    >>> readable([[2.0], [2.0, 3.0]])
    '2.0; 2.0, 3.0'
    >>> readable([{"_target_": "albumentations.HorizontalFlip", "p": 0.5}, {"squeeze": 256, "filters": 512}])
    'HorizontalFlip(p=0.5); squeeze=256, filters=512'
    """
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}={_typed(item)}" for key, item in value.items() if key != "_target_")
        return f"{value['_target_'].rpartition('.')[2]}({inner})" if "_target_" in value else inner
    if isinstance(value, list):
        nested = any(isinstance(item, list | Mapping) for item in value)
        return ("; " if nested else ", ").join(readable(item) for item in value)
    return _typed(value)


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def hardware() -> str:
    """The machine in words: GPUs, or processor cores and memory."""
    gpus = [tf.config.experimental.get_device_details(g) for g in tf.config.list_physical_devices("GPU")]
    if gpus:
        return ", ".join(str(details.get("device_name", "GPU")) for details in gpus)
    memory = psutil.virtual_memory().total / 2**30
    return f"{psutil.cpu_count()} {platform.machine()} cores, {memory:.0f} GiB"


def versions() -> Mapping[str, str]:
    """Python and the packages that a result depends on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def command_line() -> str:
    """The command that repeats this run (in a multirun: this job), with a folder of its own."""
    return shlex.join(["python", "run.py", *without(as_typed(HydraConfig.get().overrides.task), SAID)])
