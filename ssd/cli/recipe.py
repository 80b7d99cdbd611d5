"""What `training=auto` lets the images decide: the network, the size it sees them in, the time and the validations.

conf/training/auto.yaml has the numbers. What is chosen here is put in front of a command's own overrides, so that those
win, and only for keys that nobody else has set: neither a data set's file, nor an experiment, nor another YAML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from omegaconf import DictConfig, OmegaConf

from ssd.cli.compose import compose_jobs, without_hydra
from ssd.cli.trained_start import NETWORK, has_usual_network
from ssd.config.overrides import as_override, key_of, without
from ssd.config.usual import usual_options
from ssd.console import say
from ssd.data.sample import Dataset

_TASKS = ("train", "lr_find", "inspect")  # inspect: to look at the data as a training would


@dataclass(frozen=True)
class Choice:
    """Overrides that belong together, and why they were chosen."""

    overrides: tuple[str, ...]
    why: str


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
    (plain,) = compose_jobs([f"dataset={jobs[0].hydra.runtime.choices.dataset}"], False, config_dir=config_dir)
    each = [_choices(job, plain, given, config_name, config_dir) for job in jobs]
    chosen = [choice for choice in each[0] if all(choice in others for others in each[1:])]
    if not chosen:
        return list(overrides)
    if jobs[0].task.name != "inspect":
        for choice in chosen:
            say(f"training=auto: {choice.why}")
    lines = [line for choice in chosen for line in choice.overrides]
    return [*lines, f"chosen={as_override([choice.why for choice in chosen])}", *without(overrides, ("chosen",))]


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
    from ssd.experiment.splits import build_splits  # numpy, which --help does not need

    def is_free(key: str) -> bool:
        return key not in given and OmegaConf.select(job, key) == OmegaConf.select(plain, key)

    recipe = job.training.recipe
    train = build_splits(without_hydra(job)).train
    found = _network(job, train, given, config_name, config_dir)
    if is_free("training.minutes"):
        if "training.epochs" in given:
            found.append(Choice(("training.minutes=null",), "by epochs, as training.epochs was given"))
        elif len(train) > recipe.images:
            minutes = ceil(job.training.minutes * len(train) / recipe.images)
            why = f"{minutes} minutes, as there are {len(train):,} images (training.minutes=N: otherwise)"
            found.append(Choice((f"training.minutes={minutes}",), why))
    if is_free("training.evaluate_every"):
        every = max(round(recipe.between_validations / len(train)), 1)
        why = f"a validation after every {every} epochs of {len(train):,} images" if every > 1 else "one every epoch"
        found.append(Choice((f"training.evaluate_every={every}",), why))
    return found


def _network(
    job: DictConfig, train: Dataset, given: set[str], config_name: str, config_dir: str | None
) -> list[Choice]:
    """The network of the recipe, where none was chosen and no detector is started from; and the size of its images."""
    from ssd.data.sides import share_smaller

    (usual,) = compose_jobs([f"{group}={usual_options()[group]}" for group in NETWORK], False, config_dir=config_dir)
    starts = job.weights is not None or job.checkpoint is not None
    if starts or given & set(NETWORK) or not has_usual_network(job, usual, config_name, config_dir):
        return []
    recipe = job.training.recipe
    lines, why = tuple(recipe.network), "the network of its recipe, " + " and ".join(recipe.network)
    found = [Choice(lines, f"{why}, as no other was chosen")]
    if "detector.image_size" in given:
        return found
    for size in recipe.image_sizes:
        share = share_smaller(train, recipe.least_pixels / size)
        if share <= recipe.most_smaller:
            break
    why = (
        f"images of {size} x {size}, in which {share:.0%} of the objects are smaller than {recipe.least_pixels} pixels"
    )
    return [*found, Choice((f"detector.image_size={size}",), why)]
