"""What `training=auto` lets the images decide: the network, the size it sees them in, the time and the validations.

conf/training/auto.yaml has the numbers. What is chosen here is put in front of a command's own overrides, so that those
win, and only for keys that nobody else has set: neither a data set's file, nor an experiment, nor another YAML.
"""

from collections.abc import Callable, Sequence
from math import ceil

from omegaconf import DictConfig, OmegaConf

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.cli.trained_start import NETWORK, has_usual_network
from ssd.config.chosen import Choice
from ssd.config.overrides import as_override, key_of, without
from ssd.config.usual import usual_options
from ssd.console import say
from ssd.data.sample import Dataset
from ssd.data.sides import share_smaller
from ssd.experiment.splits import look_ahead

_TASKS = ("train", "lr_find", "inspect")  # inspect: to look at the data as a training would


def with_recipe(
    jobs: Sequence[DictConfig], overrides: Sequence[str], config_name: str, config_dir: str | None
) -> list[str]:
    """The overrides of a command behind what its recipe chooses; said where a training begins.

    Args:
        jobs: composed with them, each with its `hydra` node; their data sets have been read ahead.
        overrides: of the command.
        config_name, config_dir: Hydra's flags.
    """
    if any(job.task.name not in _TASKS or job.training.recipe is None or job.resume is not None for job in jobs):
        return list(overrides)
    given = {key_of(line) for line in overrides} | {str(key) for key in jobs[0].hydra.sweeper.get("params") or ()}
    options = {"dataset": jobs[0].hydra.runtime.choices.dataset, **{group: usual_options()[group] for group in NETWORK}}
    (plain,) = compose_jobs([f"{group}={option}" for group, option in options.items()], False, config_dir=config_dir)
    each = [_choices(job, plain, given, config_name, config_dir) for job in jobs]
    chosen = [choice for choice in each[0] if all(choice in others for others in each[1:])]
    if not chosen:
        return list(overrides)
    if jobs[0].task.name != "inspect":
        for choice in chosen:
            say(f"training=auto: {choice}")
    lines = [line for choice in chosen for line in choice.overrides]
    return [*lines, f"chosen={as_override([str(choice) for choice in chosen])}", *without(overrides, ("chosen",))]


def _choices(
    job: DictConfig, plain: DictConfig, given: set[str], config_name: str, config_dir: str | None
) -> list[Choice]:
    """What the images of one job decide, of that which nobody has set.

    Args:
        job: composed.
        plain: what its data set comes to when nothing else is given.
        given: keys of the command.
        config_name, config_dir: Hydra's flags.
    """

    def is_free(key: str) -> bool:
        return key not in given and OmegaConf.select(job, key) == OmegaConf.select(plain, key)

    train = look_ahead(without_hydra(job))
    starts = job.weights is not None or job.checkpoint is not None
    if not (starts or given & set(NETWORK)) and has_usual_network(job, plain, config_name, config_dir):
        found = _network(job.training.recipe, train, is_free)
        if job.backbone.weights is None:
            lines = tuple(line for line in job.training.recipe.from_random if is_free(key_of(line)))
            found.append(Choice(lines, "the backbone begins with random weights"))
        return [*found, *_length(job.training, train, is_free)]
    return [*_of_another_network(job, starts, is_free), *_length(job.training, train, is_free)]


def _network(recipe: DictConfig, train: Dataset, is_free: Callable[[str], bool]) -> list[Choice]:
    """The network of the recipe, and the size of its images."""
    found = [Choice(tuple(recipe.network), "no other network was chosen")]
    if not is_free("detector.image_size"):
        return found
    for size in recipe.image_sizes:
        share = share_smaller(train, recipe.least_pixels / size)
        if share <= recipe.most_smaller:
            break
    why = f"{share:.0%} of the objects (mean over the classes) are smaller than {recipe.least_pixels} pixels then"
    return [*found, Choice((f"detector.image_size={size}",), why)]


def _of_another_network(job: DictConfig, starts: bool, is_free: Callable[[str], bool]) -> list[Choice]:
    """How a network that was chosen is trained from pretrained weights in small batches.

    Args:
        job: composed.
        starts: whether its heads are trained already.
        is_free: whether nobody has set a key.
    """
    found, recipe, frozen = list[Choice](), job.training.recipe, "backbone.freeze_batch_norm"
    if not starts and is_free("detector.object_prior"):
        found.append(Choice((f"detector.object_prior={recipe.object_prior}",), "the heads are fresh"))
    pretrained = starts or job.backbone.get("weights") is not None
    small = job.training.batch_size < recipe.batch_norm_from
    if pretrained and small and OmegaConf.select(job, frozen) is False and is_free(frozen):
        found.append(Choice((f"{frozen}=true",), f"batches have {job.training.batch_size} images"))
    return found


def _length(training: DictConfig, train: Dataset, is_free: Callable[[str], bool]) -> list[Choice]:
    """The minutes, and the epochs between two validations."""
    found, recipe = list[Choice](), training.recipe
    if is_free("training.minutes"):
        if not is_free("training.epochs"):
            found.append(Choice(("training.minutes=null",), "training.epochs was given"))
        elif len(train) > recipe.images:
            minutes = ceil(training.minutes * len(train) / recipe.images)
            why = f"there are {len(train):,} images, not {recipe.images:,}"
            found.append(Choice((f"training.minutes={minutes}",), why))
    if is_free("training.evaluate_every"):
        every = max(round(recipe.between_validations / len(train)), 1)
        found.append(Choice((f"training.evaluate_every={every}",), f"an epoch has {len(train):,} images"))
    return found
