"""The trained detector that a training on a user's own images starts from, where nothing else was chosen.

`dataset.pretrained_detector` names it. It brings the settings of its network, as `weights=` does; so it is taken only
where nobody chose a network or weights: neither the command line, nor an experiment, nor another YAML.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from omegaconf import DictConfig, OmegaConf

from ssd.cli.compose import chosen_groups, compose_jobs, without_hydra
from ssd.config.overrides import key_of, quote
from ssd.config.usual import usual_options
from ssd.console import say
from ssd.errors import UserError, nearest

_TRAININGS = ("train", "lr_find")
_LOOKING = ("inspect",)  # at the data as the network of a training would see it; without weights
_CHOICES = ("weights", "checkpoint", "resume", "backbone", "detector")  # each says where to start
NETWORK = ("backbone", "detector")
_MOST_OUT_OF_REACH = 0.25  # of the objects that are too small for the detector's default boxes
# Of a detector's settings those that trained weights do not depend on.
_FREE = (
    *("name", "image_size", "object_prior", "match_iou", "negative_ratio", "box_loss_weight"),
    *("score_threshold", "nms_iou", "max_per_class", "max_detections"),
)

_FREE_OF_BACKBONE = ("weights",)


@dataclass(frozen=True)
class TrainedStart:
    """A published detector to start from.

    Attributes:
        project, name: of `ssd.weights.published`.
        network: the settings of its network.
        trains: whether its weights are needed, too.
    """

    project: str
    name: str
    network: tuple[str, ...]
    trains: bool

    def with_it(self, overrides: Sequence[str]) -> list[str]:
        """The overrides of a command with what the detector brings; the command's own win."""
        if not self.trains:
            return [*self.network, *overrides]
        return [*self.network, *overrides, f"weights={self.spec}", f"start={quote(self._why)}"]

    def instead(self, overrides: Sequence[str], jobs: Sequence[DictConfig]) -> list[str] | None:
        """None where the detector fits the data and is in the cache, now at least; else overrides for the usual start.

        Either is said of a training.

        Args:
            overrides: of the command, without what the detector brings.
            jobs: composed with it; their data sets have been read ahead.
        """
        if not self.trains:  # as a training would see it, whether the weights can be had or not
            return None if self._too_coarse(jobs) is None else list(overrides)
        from ssd.weights.published import DownloadError, fetch  # requests, which nobody else needs here

        if (why := self._too_coarse(jobs)) is not None:
            say(f"the training starts from {why}; weights={self.spec} starts from it all the same")
            return _usual(overrides, why)
        try:
            fetch(self.project, self.name)
        except DownloadError as error:
            why = (
                "ImageNet's weights, which takes more images and time, as the trained detector "
                f"{self.spec} cannot be downloaded ({error.reason})"
            )
            say(f"warning: the training starts from {why}; {error.by_hand}")
            return _usual(overrides, why)
        say(f"the training starts from {self._why}")
        return None

    def _too_coarse(self, jobs: Sequence[DictConfig]) -> str | None:
        """Why its default boxes are too large for the objects of some job, if they are."""
        from ssd.data.sides import share_smaller
        from ssd.experiment.splits import look_ahead

        for job in jobs:
            # a box in the middle of one of the same shape overlaps it by the square of their sides' ratio
            least = job.detector.scales[0] * math.sqrt(job.detector.match_iou)
            share = share_smaller(look_ahead(without_hydra(job)), least)
            if share > _MOST_OUT_OF_REACH:
                return (
                    f"ImageNet's weights, as {share:.0%} of the objects (mean over the classes) are smaller than "
                    f"{least:.2f} of their image, which no default box of the trained detector {self.spec} matches"
                )
        return None

    @property
    def spec(self) -> str:
        """As in `weights=`."""
        return f"{self.project}:{self.name}"

    @property
    def _why(self) -> str:
        return f"{self.spec}, a trained detector, as nothing else was chosen (weights=null: from ImageNet's weights)"


def trained_start(
    jobs: Sequence[DictConfig], overrides: Sequence[str], config_name: str, config_dir: str | None
) -> TrainedStart | None:
    """The trained detector that all jobs of a command start from; None where something else was chosen for any.

    Args:
        jobs: composed, each with its `hydra` node.
        overrides: of the command.
        config_name, config_dir: Hydra's flags.

    Raises:
        UserError: `dataset.pretrained_detector` names none.
    """
    specs = {_detector_of(job) for job in jobs}
    keys = {key_of(line) for line in overrides} | {str(key) for key in jobs[0].hydra.sweeper.get("params") or ()}
    spec = specs.pop() if len(specs) == 1 else None
    if spec is None or any(map(_chooses, keys)):
        return None
    (usual,) = compose_jobs([f"{group}={usual_options()[group]}" for group in NETWORK], False, config_dir=config_dir)
    usual_weights = all(job.backbone.weights == "imagenet" for job in jobs)
    if not usual_weights or not all(has_usual_network(job, usual, config_name, config_dir) for job in jobs):
        return None
    project, _, name = spec.partition(":")
    return TrainedStart(project, name, _network_of(project, name), jobs[0].task.name in _TRAININGS)


def _usual(overrides: Sequence[str], why: str) -> list[str]:
    """With `weights=null`, so that the command does the same where it is repeated."""
    return [*overrides, "weights=null", f"start={quote(why)}"]


def _detector_of(job: DictConfig) -> str | None:
    """What the data set names, where the task asks for a detector to start from and no YAML gives one."""
    dataset, task = job.get("dataset"), job.get("task")
    if not (isinstance(dataset, DictConfig) and isinstance(task, DictConfig)):
        return None  # which the checks answer
    asks = task.get("name") in (*_TRAININGS, *_LOOKING) and job.get("weights") is None and job.get("checkpoint") is None
    detector = dataset.get("pretrained_detector") if asks else None
    return str(detector) if detector is not None else None


def _chooses(key: str) -> bool:
    group, _, setting = key.partition(".")
    return group.partition("@")[0] in _CHOICES and not (group == "detector" and setting in _FREE)


def has_usual_network(job: DictConfig, usual: DictConfig, config_name: str, config_dir: str | None) -> bool:
    """Whether a job's network is the one that nobody has chosen; its weights do not matter.

    Args:
        job: composed, with its `hydra` node.
        usual: composed with the usual options of `NETWORK`.
        config_name, config_dir: Hydra's flags.
    """
    choices = job.hydra.runtime.choices
    if any(choices.get(group) != usual.hydra.runtime.choices[group] for group in NETWORK):
        return False
    if any(_settings(job, group) != _settings(usual, group) for group in NETWORK):
        return False
    return not chosen_groups(job, config_name, config_dir) & set(NETWORK)


def _settings(job: DictConfig, group: str) -> dict[str, object]:
    plain = dict(OmegaConf.to_container(job[group], resolve=False))  # type: ignore[arg-type]
    return {
        str(key): value
        for key, value in plain.items()
        if key not in (_FREE if group == "detector" else _FREE_OF_BACKBONE)
    }


def _network_of(project: str, name: str) -> tuple[str, ...]:
    from ssd.weights.layouts import LAYOUTS

    known = {layout.published: layout.overrides for layout in LAYOUTS.get(project, ()) if layout.published}
    if name not in known:
        hint = nearest(name, known) if known else f"; choose a project: {', '.join(LAYOUTS)}"
        raise UserError(f"dataset.pretrained_detector={project}:{name} is no published detector{hint}")
    return known[name]
