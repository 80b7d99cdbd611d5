"""The data set of a configuration. What lies in files is read before TensorFlow is imported, and once for a command."""

import json
import logging
from dataclasses import fields, replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.config.groups import DatasetConfig, FolderConfig, JoinedConfig
from ssd.config.instantiate import instantiate
from ssd.data.folder.recorded import content
from ssd.data.images import MAX_PIXELS
from ssd.data.joining import NEGATIVES, joined, with_negatives
from ssd.data.listening import listening, say
from ssd.data.oddities import say_oddities
from ssd.data.problems import RAISE, SKIP, Problems
from ssd.data.sample import Dataset, Splits
from ssd.data.selection import both, ignoring, limited, merges_of, of_classes, without_empty_classes
from ssd.errors import UserError, kind_of
from ssd.runs.files import write_json
from ssd.runs.folder import SPLIT, run_of

# Keys of a data set that say nothing about how it is read.
_NOT_READ = (
    "pretrained_weights",
    "pretrained_detector",
    "max_pixels",
    "convert",
    *(item.name for item in fields(DatasetConfig)),
)
# Read ahead by `read_ahead`: the data set, and what its reader had to say, which belongs into the run's log.
_ahead: dict[str, tuple[Splits, list[logging.LogRecord]]] = {}


def read_ahead(configs: list[DictConfig]) -> None:
    """Reads the data sets of configurations, so that mistakes in them are said at once; those of before are forgotten.

    Raises:
        UserError: whatever is wrong with one.
    """
    _ahead.clear()
    for given in configs:
        cfg = _skipping(given) if given.task.name == "inspect" else given
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


def look_ahead(cfg: DictConfig) -> Dataset:
    """The training split as the task will have it, before it begins; what the reader says belongs into the run's log.

    Raises:
        UserError: it cannot be read.
    """
    with listening("ssd.record"):
        return (build_splits_with_problems if cfg.task.name == "inspect" else build_splits)(cfg).train


def build_split(cfg: DictConfig, name: str) -> Dataset:
    """Another split of a folder than those in use, all of it; what cannot be used is left out.

    Raises:
        UserError: it cannot be read.
    """
    cfg = _skipping(cfg)
    cfg.dataset.update({"train": name, "val": name, "limit_train": None, "negatives": None})
    with listening():
        return _build(cfg).train


def build_splits_with_problems(cfg: DictConfig) -> Splits:
    """The data set for its inspection: what cannot be used is left out and noted, and warnings are not said again.

    Raises:
        UserError: it cannot be read at all, or its reader has no `on_error`.
    """
    cfg = _skipping(cfg)
    if (found := _ahead.get(_key(cfg))) is None:
        with listening() as heard:
            splits = _build(cfg)
        found = splits, heard
    say([item for item in found[1] if item.levelno < logging.WARNING])
    return found[0]


def _skipping(cfg: DictConfig) -> DictConfig:
    cfg = cfg.copy()
    for node in _parts(cfg.dataset):
        if "on_error" in node:
            node.on_error = SKIP
    return cfg


def on_error_of(cfg: DictConfig) -> str | None:
    """What a data set does with files that cannot be used; of a joined one, what all parts do.

    None: there is no such setting.
    """
    chosen = [node.get("on_error") for node in _parts(cfg.dataset)]
    if None in chosen:
        return None
    return SKIP if set(chosen) == {SKIP} else RAISE


def _parts(node: DictConfig) -> list[DictConfig]:
    """The data sets that a joined one is made of, else the one that it is."""
    return list(node.parts.values()) if node["_target_"] == JoinedConfig._target_ else [node]


def record_split(cfg: DictConfig, folder: Path, splits: Splits) -> None:
    """Notes in a run's folder which images it has, so that it goes on and is judged later with the same ones."""
    if _is_folder(cfg) and (cfg.resume is None or not (folder / SPLIT).exists()):
        names = (part.columns.ids for part in (splits.train, splits.val))
        parts = [[name for name in of_part if not name.startswith(NEGATIVES)] for of_part in names]
        write_json(folder / SPLIT, content(cfg.dataset, *parts))


def _is_folder(cfg: DictConfig) -> bool:
    return bool(cfg.dataset["_target_"] == FolderConfig._target_)


def _recorded(cfg: DictConfig) -> str | None:
    """The split of the run that goes on or is judged, where it has noted one."""
    if not _is_folder(cfg):
        return None
    run = Path(cfg.resume) if cfg.resume is not None else None
    if cfg.task.name in ("evaluate", "export", "benchmark", "inspect") and cfg.checkpoint is not None:
        run = run_of(Path(cfg.checkpoint))
    file = run / SPLIT if run is not None else None
    return str(file.resolve()) if file is not None and file.is_file() else None


def _key(cfg: DictConfig) -> str:
    """What the data set depends on; relative paths start from the current folder."""
    plain = OmegaConf.to_container(cfg.dataset, resolve=True)
    return json.dumps([str(Path.cwd()), plain, _recorded(cfg)], sort_keys=True, default=str)


def _build(cfg: DictConfig) -> Splits:
    splits = _selected(cfg.dataset, _read(cfg.dataset, "dataset", _recorded(cfg)))
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    say_oddities(splits)
    return both(splits, lambda data: replace(data, max_pixels=limit))


def _read(node: DictConfig, key: str, recorded: str | None = None) -> Splits:
    """What the reader of a data set's configuration gives, with a split that was noted before."""
    if node["_target_"] == JoinedConfig._target_:
        parts = {name: (part, f"{key}.parts.{name}") for name, part in node.parts.items()}
        return joined(
            {name: _selected(part, _read(part, place)) for name, (part, place) in parts.items()},
            OmegaConf.to_container(node.weights),  # type: ignore[arg-type]
            node.name,
        )
    arguments = {name: value for name, value in node.items() if name not in _NOT_READ}
    if recorded is not None:
        arguments["recorded"] = recorded
    splits = instantiate(OmegaConf.create(arguments), key)
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
        problems = Problems(node.get("on_error") or RAISE)
        train = with_negatives(splits.train, folder, problems)
        splits = replace(splits, train=train, problems=[*splits.problems, *problems.noted])
    return splits
