"""Checks of a composed configuration: keys, mandatory values, combinations and paths; ranges are in `ranges`.

Every check raises UserError with the key's name. What only the built model can tell (a layer's name, whether an image
size leaves a map for each level) is checked where it is built.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ssd import tasks
from ssd.cli.hydra_errors import explain, unknown_key
from ssd.cli.names import check_names, check_store
from ssd.cli.ranges import check_ranges, value_at
from ssd.cli.shared_batches import check_shared_batches
from ssd.comparison.sources import read_pair
from ssd.config.groups import FolderConfig
from ssd.config.schemas import Priors
from ssd.cores import available_cores
from ssd.data.problems import RAISE, SKIP
from ssd.errors import UserError, nearest
from ssd.export.matrix import read_variants
from ssd.prediction.sources import SAVED
from ssd.runs.best_by import BEST_BY
from ssd.runs.checkpoint import checkpoint_file
from ssd.serving.settings import read_settings
from ssd.sweep.report.sources import read_source

READING = ("train", "lr_find", "evaluate", "export", "benchmark", "inspect", "reproduce")  # tasks that read a data set

# key → (tasks that read it, what must be there)
PATHS: dict[str, tuple[Sequence[str], str]] = {
    "dataset.path": (READING, "folder"),
    "dataset.archives": (READING, "folder"),
    "dataset.train_annotations": (READING, "file"),
    "dataset.train_images": (READING, "folder"),
    "dataset.val_annotations": (READING, "file"),
    "dataset.val_images": (READING, "folder"),
    "dataset.negatives": (READING, "folder"),
    "backbone.weights": (("train", "lr_find", "reproduce"), "file"),
    "checkpoint": (
        (*READING, "predict", "serve"),
        "run folder or .keras file",
    ),
    "source": (("predict",), "image or folder"),
}

_WITH_SOURCE = ("predict", "report", "compare", "reproduce")
OPEN_GROUPS = ("task", "backbone", "dataset", "optimizer", "schedule")


def check(cfg: DictConfig) -> None:
    """Checks a configuration (without Hydra's node) as `python run.py` takes it.

    Raises:
        UserError: one sentence on the first mistake found.
    """
    check_keys(cfg)
    try:
        missing = sorted(OmegaConf.missing_keys(cfg))
        values: dict[str, Any] = {} if missing else OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    except OmegaConfBaseException as error:
        raise UserError(explain(error)) from error
    if missing:
        raise UserError(f"{missing[0]} has no value; give {missing[0]}=...")
    for group in OPEN_GROUPS:
        if not (isinstance(values[group], dict) and isinstance(values[group].get("_target_"), str)):
            raise UserError(f"{group} has no `_target_`; its YAML must name the class or function to call")
    _check_task_name(values)
    _check_open_groups(values)
    check_ranges(values)
    _check_best_by(values["training"]["best_by"])
    _check_on_error(values["dataset"].get("on_error", RAISE))
    _check_levels(values)
    _check_threshold(values)
    _check_task(values)
    _check_paths(values)
    check_names(values)
    check_store(values["tracking"])
    _check_sweep(values)
    check_shared_batches(values)


def check_keys(node: Any, prefix: str = "") -> None:
    """Refuses keys that are no field of a node's dataclass: `+key=` gets past Hydra's own check."""
    children: list[tuple[str, Any]] = []
    if isinstance(node, DictConfig):
        schema = OmegaConf.get_type(node)
        if is_dataclass(schema):
            names = [field.name for field in fields(schema)]
            for key in node:
                if key not in names:
                    raise UserError(unknown_key(f"{prefix}{key!s}", names))
            for name in names:
                if name not in list(node.keys()):  # `in` is false for a mandatory value not yet given
                    raise UserError(f"the key '{prefix}{name}' was removed; set it to a value instead")
        children = [(f"{prefix}{key!s}", node._get_node(key)) for key in node]
    elif isinstance(node, ListConfig):
        children = [(f"{prefix[:-1]}[{i}]", node._get_node(i)) for i in range(len(node))]
    for key, child in children:
        if isinstance(child, DictConfig | ListConfig) and not (
            child._is_none() or child._is_interpolation() or child._is_missing()
        ):
            check_keys(child, f"{key}.")


def _check_open_groups(values: dict[str, Any]) -> None:
    """What the program itself reads of a user's own optimizer and transforms."""
    rate = values["optimizer"].get("learning_rate")
    if not isinstance(rate, int | float) or isinstance(rate, bool):
        given = "has no value" if rate is None else f"is {rate!r}"
        raise UserError(f"optimizer.learning_rate {given}; it must be a number, such as 1.0e-3")
    for index, transform in enumerate(values["augmentation"]["transforms"]):
        if not (isinstance(transform, dict) and isinstance(transform.get("_target_"), str)):
            raise UserError(
                f"augmentation.transforms[{index}] has no `_target_`; write each as `- _target_: albumentations.NAME`"
            )


def _check_best_by(column: str) -> None:
    if column not in BEST_BY:
        raise UserError(f"training.best_by={column} is no validated mAP of results.csv{nearest(column, BEST_BY)}")


def _check_on_error(value: Any) -> None:
    if value not in (RAISE, SKIP):
        raise UserError(f"dataset.on_error={value} is neither {RAISE} nor {SKIP}{nearest(str(value), (RAISE, SKIP))}")


def _check_levels(values: dict[str, Any]) -> None:
    """Scales and aspect ratios must fit the number of levels, where the backbone's YAML tells its feature layers."""
    layers = value_at(values, "backbone.feature_layers")
    if not isinstance(layers, list):
        return
    detector = values["detector"]
    levels = len(layers) + len(detector["extras"])
    for key, needed in (("aspect_ratios", levels), ("scales", levels + 1)):
        if (given := len(detector[key])) != needed:
            raise UserError(
                f"detector.{key} has {given} entries, but {len(layers)} backbone.feature_layers and "
                f"{len(detector['extras'])} detector.extras are {levels} levels, which need {needed}"
            )


def _check_threshold(values: dict[str, Any]) -> None:
    """Precision and recall are of detections that mAP has too; a prediction lowers the decoder's own threshold."""
    shown, decoded = values["score_threshold"], values["detector"]["score_threshold"]
    if values["task"]["name"] in ("train", "evaluate", "export", "benchmark", "reproduce") and shown < decoded:
        raise UserError(
            f"score_threshold={shown:g} is below detector.score_threshold={decoded:g}, under which nothing is decoded; "
            "raise the one or lower the other"
        )


def _check_task_name(values: dict[str, Any]) -> None:
    """A task is chosen as an option of its group; of ours the name alone says nothing."""
    name, target = values["task"].get("name"), values["task"]["_target_"]
    if not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", target):
        raise UserError(
            f"task._target_={target[:60]} is no function of a module; write MODULE.FUNCTION, such as mine.run"
        )
    ours = sorted(module.name for module in iter_modules(tasks.__path__))
    if not isinstance(name, str):
        raise UserError("task.name has no value; give it a name in its YAML")
    if target.startswith(f"{tasks.__name__}.") and target != f"{tasks.__name__}.{name}.run":
        if name in ours:
            raise UserError(f"task.name={name} does not make it another task; choose it by task={name}")
        raise UserError(f"task.name={name}: there is no such task{nearest(name, ours)}")


def _check_task(values: dict[str, Any]) -> None:
    task = values["task"]["name"]
    if task != "train" and values["resume"]:
        raise UserError(f"resume continues a training, and the task is {task}; leave one of the two out")
    if task in ("evaluate", "predict", "export", "serve", "convert") and not (
        values["checkpoint"] or values["weights"]
    ):
        raise UserError(
            f"task={task} needs a trained detector; give checkpoint=RUN_FOLDER, for example outputs/latest, or "
            "weights=torchvision:FILE"
        )
    if task == "predict" and not values["source"]:
        raise UserError("task=predict needs images; give source=IMAGE or source=FOLDER")
    if task == "predict":
        _check_prediction(values["task"])
    if task == "benchmark" and not values["checkpoint"]:
        raise UserError(
            "task=benchmark needs a trained detector; give checkpoint=RUN_FOLDER, for example outputs/latest"
        )
    if task == "export" or (task == "benchmark" and values["task"]["format"] is not None):
        read_variants(values["task"])
    if task == "benchmark":
        _check_benchmark(values["task"])
    if task == "serve":
        read_settings(values["task"], "task.")
    if task == "report" and not values["source"]:
        raise UserError("task=report needs jobs; give source=FOLDER of a sweep, or source=RUN_ID of MLflow")
    if task == "report":
        read_source(values["source"])
    if task == "compare":
        _check_comparison(values["source"])
    if task == "reproduce" and not values["source"]:
        raise UserError("task=reproduce needs a training to repeat; give source=RUN_FOLDER")
    if task not in _WITH_SOURCE and values["source"]:
        raise UserError(
            f"source is for {', '.join(f'task={name}' for name in _WITH_SOURCE)}, not for task={task}; leave it out or "
            "set the task"
        )
    if task != "inspect" and value_at(values, "dataset.convert"):
        raise UserError(f"dataset.convert is for task=inspect, not for task={task}; leave it out or set the task")
    start = next((key for key in ("checkpoint", "weights") if values[key]), None)
    if task in ("train", "reproduce") and start is not None and values["detector"]["priors"] == Priors.auto:
        raise UserError(
            f"detector.priors=auto fits other priors than those that the heads of {start}={values[start]} were trained "
            "for; leave it out, or leave that out and start from backbone.weights"
        )
    if task == "lr_find" and values["task"]["lowest"] >= values["task"]["highest"]:
        raise UserError("task.lowest must be below task.highest, the rate that the steps rise to")
    if values["checkpoint"] and values["weights"]:
        raise UserError("checkpoint and weights both name the detector to start from; leave one of the two out")


def _check_comparison(source: str | None) -> None:
    if not source:
        raise UserError("task=compare needs two runs; give source=RUN_A+RUN_B")
    read_pair(source)


def _check_benchmark(task: dict[str, Any]) -> None:
    if (most := max(task["threads"] or [1])) > (cores := available_cores()):
        raise UserError(f"task.threads has {most}, but this process may use {cores} cores; give at most {cores}")
    for place in task["others"]:
        checkpoint_file(place)


def _check_prediction(task: dict[str, Any]) -> None:
    """What is saved, and the thresholds of classes; whether there are such classes, the detector tells."""
    for name in task["save"]:
        if name not in SAVED:
            raise UserError(f"task.save={name} is nothing that is saved{nearest(str(name), SAVED)}")
    thresholds = {} if task["class_thresholds"] is None else task["class_thresholds"]
    if not isinstance(thresholds, dict):
        raise UserError(f"task.class_thresholds={thresholds} must be a score for each class, such as {{cat: 0.7}}")
    for name, threshold in thresholds.items():
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise UserError(f"task.class_thresholds.{name}={threshold} must be between 0 and 1")


def _check_sweep(values: dict[str, Any]) -> None:
    """What MLflow's registry would refuse when all jobs are done is refused before the first."""
    if values["sweep"]["latency"] and values["task"]["name"] != "report":
        raise UserError("sweep.latency is measured by task=report, when all jobs are done; leave it out here")
    name, alias = values["sweep"]["register"], values["sweep"]["alias"]
    if name is None:
        return
    if not re.fullmatch(r"\w[\w .-]*", name):
        raise UserError(
            f"sweep.register={name} must be a name of letters, digits, blanks, dots, dashes and underscores"
        )
    if not re.fullmatch(r"[\w-]+", alias) or re.fullmatch(r"(?i)latest|v\d+", alias):
        raise UserError(
            f"sweep.alias={alias} must be of letters, digits, dashes and underscores, and neither 'latest' nor a "
            "version such as 'v1'"
        )
    for key, needed in (("enabled", ("train", "report")), ("log_model", ("train",))):
        if values["task"]["name"] in needed and not values["tracking"][key]:
            raise UserError(f"sweep.register={name} needs tracking.{key}=true")


def _downloads(backbone: str) -> tuple[str, ...]:
    """What `backbone.weights` may say instead of naming a file."""
    return ("imagenet", "imagenet_full") if backbone.endswith(".vgg16") else ("imagenet",)


def _may_be_a_file(key: str, values: dict[str, Any]) -> bool:
    """An archive or a file of annotations, in the place of the folder of a data set of any format."""
    return key == "dataset.path" and values["dataset"]["_target_"] == FolderConfig._target_


def _check_paths(values: dict[str, Any]) -> None:
    for key, (readers, kind) in PATHS.items():
        given = value_at(values, key)
        if values["task"]["name"] not in readers or not isinstance(given, str) or key in ("checkpoint", "source"):
            continue  # those two are looked into (ssd/cli/inputs.py)
        if key == "backbone.weights" and (values["resume"] or given in _downloads(values["backbone"]["_target_"])):
            continue
        path = Path(given)
        if not os.path.exists(path):  # False too for what no file system takes
            raise UserError(f"{key}={given}: there is no such {kind}; paths are relative to {Path.cwd()}")
        if kind == "folder" and not path.is_dir() and not _may_be_a_file(key, values):
            raise UserError(f"{key}={given} is a file; it must be a folder")
        if kind == "file" and not path.is_file():
            raise UserError(f"{key}={given} is a folder; it must be a file")
