"""The data set of a configuration. What lies in files is read before TensorFlow is imported, and once for a command."""

import json
import logging
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.config.groups import FolderConfig
from ssd.config.instantiate import instantiate
from ssd.data.folder.recorded import content
from ssd.data.images import MAX_PIXELS
from ssd.data.oddities import say_oddities
from ssd.data.sample import Dataset, Splits
from ssd.errors import UserError, kind_of
from ssd.runs.files import write_json
from ssd.runs.folder import SPLIT, run_of

# Keys of a data set that say nothing about how it is read.
_NOT_READ = ("pretrained_weights", "max_pixels", "convert")
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
            with _Listening() as listener:
                splits = _build(cfg)
            _ahead[key] = splits, listener.records


def build_splits(cfg: DictConfig) -> Splits:
    """The data set's two splits.

    Raises:
        UserError: whatever is wrong with it.
    """
    if (found := _ahead.get(_key(cfg))) is None:
        return _build(cfg)
    splits, said = found
    for record in said:
        logging.getLogger(record.name).handle(record)
    return splits


def record_split(cfg: DictConfig, folder: Path, splits: Splits) -> None:
    """Notes in a run's folder which images it has, so that it goes on and is judged later with the same ones."""
    if _is_folder(cfg) and (cfg.resume is None or not (folder / SPLIT).exists()):
        parts = [[item.id for item in part.annotations] for part in (splits.train, splits.val)]
        write_json(folder / SPLIT, content(cfg.dataset, *parts))


def _is_folder(cfg: DictConfig) -> bool:
    return bool(cfg.dataset["_target_"] == FolderConfig._target_)


def _recorded(cfg: DictConfig) -> str | None:
    """The split of the run that goes on or is judged, where it has noted one."""
    run = Path(cfg.resume) if cfg.resume is not None else None
    if cfg.task.name == "evaluate" and cfg.checkpoint is not None:
        run = run_of(Path(cfg.checkpoint))
    file = run / SPLIT if run is not None and _is_folder(cfg) else None
    return str(file.resolve()) if file is not None and file.is_file() else None


def _key(cfg: DictConfig) -> str:
    """What the data set depends on; relative paths start from the current folder."""
    plain = OmegaConf.to_container(cfg.dataset, resolve=True)
    return json.dumps([str(Path.cwd()), plain, _recorded(cfg)], sort_keys=True, default=str)


def _build(cfg: DictConfig) -> Splits:
    arguments = {key: value for key, value in cfg.dataset.items() if key not in _NOT_READ}
    if (recorded := _recorded(cfg)) is not None:
        arguments["recorded"] = recorded
    splits = instantiate(OmegaConf.create(arguments), "dataset")
    if not isinstance(splits, Splits) or not all(isinstance(part, Dataset) for part in (splits.train, splits.val)):
        target = cfg.dataset["_target_"]
        raise UserError(f"dataset: {target} gave {kind_of(splits)}; it must give ssd.data.sample.Splits of two Dataset")
    limit = cfg.dataset.get("max_pixels", MAX_PIXELS)
    say_oddities(splits)
    return Splits(replace(splits.train, max_pixels=limit), replace(splits.val, max_pixels=limit))


class _Listening(logging.Handler):
    """Keeps what readers log, for there is no log yet."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self._logger = logging.getLogger("ssd.data")

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    def __enter__(self) -> "_Listening":
        self._before = self._logger.level, self._logger.propagate
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        self._logger.propagate = False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        level, self._logger.propagate = self._before
        self._logger.setLevel(level)
