"""What a training is about to do, and why, in a few lines before it does it."""

from collections.abc import Collection

import numpy as np
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from ssd.config.chosen import chosen_keys
from ssd.config.overrides import key_of
from ssd.config.usual import usual_options
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset, Splits
from ssd.experiment.build import learning_rate
from ssd.models.detector import SSD
from ssd.runs.folder import as_typed
from ssd.training.replicas import Replicas
from ssd.weights.layouts import brought_by

_SHOWN_CLASSES = 20
_SHOWN_VALUES = 2


def announcement(
    cfg: DictConfig, model: SSD, splits: Splits, batches: Batches, start: str, replicas: Replicas
) -> list[str]:
    """The lines: data, classes, detector, training, augmentation.

    Args:
        cfg: of the run.
        model: that will be trained.
        splits: it is trained and validated on.
        batches: of the training.
        start: where its weights come from.
        replicas: that share each batch.
    """
    brought = brought_by(cfg.weights)
    size, trained = model.image_size, sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    amount = f"{len(batches):,} steps of {cfg.training.batch_size} images ({_why(cfg, 'training')})"
    if cfg.training.minutes is not None:
        length = f"{cfg.training.minutes:g} minutes, in epochs of {amount}"
    else:
        length = f"{cfg.training.epochs} epochs of {amount}, {len(batches) * cfg.training.epochs:,} steps"
    return [
        f"data: {splits.train.name.partition(':')[0]} ({_why(cfg, 'dataset')}), {_amount(splits.train)} to train on, "
        f"{_amount(splits.val)} to validate on",
        f"classes: {_classes(splits.train)}",
        f"detector: {cfg.detector.name} ({_why(cfg, 'detector', brought)}) on {cfg.backbone.name} "
        f"({_why(cfg, 'backbone', brought)}), {start}; "
        f"images of {size} x {size}, {len(model.priors):,} default boxes, {model.count_params() / 1e6:.2f} million "
        f"parameters, {trained / 1e6:.2f} of them trained",
        f"training: {length}; {_rate(cfg)}",
        *_devices(cfg, replicas),
        f"augmentation: {_transforms(cfg)} ({_why(cfg, 'augmentation')})",
    ]


def _amount(dataset: Dataset) -> str:
    return f"{len(dataset):,} images with {len(dataset.columns.labels):,} objects"


def _classes(dataset: Dataset) -> str:
    counts = np.bincount(dataset.columns.labels, minlength=len(dataset.class_names))
    named = [f"{name} {count:,}" for name, count in zip(dataset.class_names, counts, strict=True)]
    more = f" and {len(named) - _SHOWN_CLASSES} more" if len(named) > _SHOWN_CLASSES else ""
    return ", ".join(named[:_SHOWN_CLASSES]) + more


def _rate(cfg: DictConfig) -> str:
    """E.g. "adam (default), learning rate 0.0005 on a cosine (default)"."""
    choices = HydraConfig.get().runtime.choices
    optimizer, schedule = choices.get("optimizer"), choices.get("schedule")
    rate = learning_rate(cfg)
    return f"{optimizer} ({_why(cfg, 'optimizer')}), learning rate {rate:g} on {schedule} ({_why(cfg, 'schedule')})"


def _devices(cfg: DictConfig, replicas: Replicas) -> list[str]:
    """E.g. "devices: 8 of 2 processes, 4 images each, in 2 micro-batches"; nothing of one that takes a batch whole."""
    parts = cfg.training.micro_batches
    if replicas.count == parts == 1:
        return []
    of = f" of {replicas.member.count} processes" if replicas.member.count > 1 else ""
    each = f"{cfg.training.batch_size // replicas.count} images each"
    return [f"devices: {replicas.count}{of}, {each}" + (f", in {parts} micro-batches" if parts > 1 else "")]


def _transforms(cfg: DictConfig) -> str:
    names = [str(transform["_target_"]).rpartition(".")[2] for transform in cfg.augmentation.transforms]
    return ", ".join(names) or "none, the images are only resized"


def _why(cfg: DictConfig, group: str, brought: Collection[str] = ()) -> str:
    """Who chose a group's option: the command line, the weights, training=auto, an experiment, the data set; or nobody.

    Args:
        cfg: of the run.
        group: of the configuration.
        brought: settings that weights bring.
    """
    hydra = HydraConfig.get()
    lines = [line for line in as_typed(hydra.overrides.task) if key_of(line).split(".")[0] == group]
    by_recipe = chosen_keys(cfg.chosen)
    given = [line for line in lines if line not in brought and key_of(line) not in by_recipe]
    choices = hydra.runtime.choices
    changed = [line for line in given if "." in key_of(line)]
    if any(key_of(line) == group for line in given):
        why = "as given"
    elif group in by_recipe:
        why = "by training=auto"
    elif choices.get(group) == usual_options().get(group):
        why = "default"
    elif any(key_of(line) == group for line in lines):
        why = "by weights"
    elif (experiment := choices.get("experiment")) is not None:
        why = f"by experiment={experiment}"
    else:
        why = f"by dataset={choices.get('dataset')}"
    if len(changed) > _SHOWN_VALUES:
        return f"{why}, with {len(changed)} values given"
    return f"{why}, with {', '.join(line.lstrip('+') for line in changed)}" if changed else why
