"""What the detector of a run finds, and on which data: as the run recorded it, or, of older runs, made again."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ssd.config.harmless import is_harmless
from ssd.data.recorded import Labelled, read_annotations
from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.evaluation.record import Judged, judged_of, read_judged
from ssd.evaluation.validation import validate
from ssd.experiment.build import build_val_batches
from ssd.experiment.splits import build_splits
from ssd.experiment.validating import validation_network, with_classes
from ssd.models.checkpoint import load_detector
from ssd.models.weights_digest import weights_digest
from ssd.runs.checkpoint import checkpoint_file
from ssd.runs.folder import ANNOTATIONS, BEST, CONFIG, RESULTS, VALIDATION
from ssd.runs.results import readable_results
from ssd.runs.started import called_from, config_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Material:
    """What a run is compared by.

    Attributes:
        judged: what its best checkpoint, or the one that it evaluated, finds in its validation split.
        data: split ("train", "val") → what it was trained and validated on; empty where that is not known.
        note: why the data is not known, or not as the run had it, in a sentence.
    """

    judged: Judged
    data: Mapping[str, Labelled]
    note: str = ""


def material(folder: Path, trusted: bool) -> Material:
    """What a run has recorded; what an older one has not is made again from its checkpoint and data.

    Args:
        folder: of a training or an evaluation.
        trusted: whether the user vouches for it, and a data set of its own may be called.

    Raises:
        UserError: a record is damaged, or can neither be read nor made again, naming what is missing.
    """
    recorded = _recorded(folder)
    if recorded is not None and (folder / ANNOTATIONS).is_file():
        return Material(recorded, read_annotations(folder / ANNOTATIONS))
    cfg = _configuration(folder, trusted)
    was_training = cfg.task.name != "evaluate"
    cfg.task.name = "evaluate"  # with which a folder's split is the one that the run had
    if was_training:
        _check_validated(folder)
        cfg.checkpoint = str(folder.resolve())
    elif cfg.checkpoint is None:
        raise UserError(f"{folder} evaluated weights={cfg.weights} and has no {VALIDATION}; evaluate them again")
    with _called_from(folder):
        splits = build_splits(cfg)
        found = recorded or _judged(cfg, folder, splits.val)
    name = os.path.relpath(folder)
    if (folder / ANNOTATIONS).is_file():
        return Material(found, read_annotations(folder / ANNOTATIONS))
    parts = {"train": splits.train, "val": splits.val} if was_training else {"val": splits.val}
    data = {split: Labelled(part.class_names, part.columns) for split, part in parts.items()}
    return Material(found, data, f"{name} has no {ANNOTATIONS}; its data is taken to be what lies there today")


def _recorded(folder: Path) -> Judged | None:
    """What a run has recorded, unless its best checkpoint is another one since: the training went on after its end."""
    if not (folder / VALIDATION).is_file():
        return None
    found, best = read_judged(folder / VALIDATION), folder / BEST
    return found if not best.is_file() or weights_digest(best) == found.weights else None


def _judged(cfg: DictConfig, folder: Path, val: Dataset) -> Judged:
    checkpoint = checkpoint_file(cfg.checkpoint).resolve()
    log.info("%s has no %s of its checkpoint, which is evaluated now", os.path.relpath(folder), VALIDATION)
    model = load_detector(checkpoint)
    dataset = with_classes(val, model.class_names)
    batches = build_val_batches(cfg, dataset, model.image_size)
    network = validation_network(cfg.get("runtime", "auto"), cfg.precision, model, batches, checkpoint)
    found = validate(network, batches, cfg.score_threshold)
    return judged_of(dataset, found.detections, weights_digest(checkpoint))


def _configuration(folder: Path, trusted: bool) -> DictConfig:
    """Of the run.

    Raises:
        UserError: it is not known, or could run or read anything.
    """
    if (config := config_of(folder)) is None:
        raise UserError(f"{folder / CONFIG} is missing, which names the data of the run; leave it out of source")
    cfg = OmegaConf.create(config)
    if not (trusted or is_harmless(OmegaConf.to_yaml(cfg.dataset))):
        raise UserError(
            f"{folder / CONFIG}: its data set could run or read anything; if you know where the folder comes from, "
            "add trust=true"
        )
    cfg.resume = None
    return cfg


def _check_validated(folder: Path) -> None:
    rows, problem = readable_results(folder / RESULTS)
    if problem is None and not any("val/mAP50" in row for row in rows):
        raise UserError(f"{folder} has not validated yet, so that there is nothing to compare; let it go on: resume=")


@contextmanager
def _called_from(folder: Path) -> Iterator[None]:
    """Relative paths of a run start from the folder that it was called from."""
    home = called_from(folder)
    with chdir(home if home.is_dir() else Path.cwd()):
        yield
