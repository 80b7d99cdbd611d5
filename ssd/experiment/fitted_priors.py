"""Priors fitted to the training set (`detector.priors=auto`), and noted as the run's own."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf

from ssd.config.schemas import Priors
from ssd.data.loader import Augment
from ssd.data.sample import Dataset, Sample
from ssd.experiment.build import build_geometry, build_prior_levels
from ssd.models.prior_fit import FEWEST, MOST, PriorFit, fit_priors
from ssd.models.prior_reach import Reach
from ssd.models.priors import PriorLevel
from ssd.runs.files import write_text
from ssd.runs.folder import CONFIG
from ssd.runs.started import fitted_priors_of

log = logging.getLogger(__name__)

_MOST_DRAWS = 2000  # images whose boxes are augmented, for sets of few objects
_MOST_PIXELS = 10**9  # of all of them, a second or two of turning and cutting


def settle_priors(cfg: DictConfig, folder: Path, train: Dataset) -> None:
    """Replaces `detector.priors=auto` in the configuration by what it comes to, says it, and notes it in the folder.

    A run that goes on keeps what it has fitted.

    Args:
        cfg: of the training; its `detector` changes.
        folder: of the run.
        train: the training set.
    """
    if cfg.detector.priors != Priors.auto:
        return
    noted = fitted_priors_of(Path(cfg.resume)) if cfg.resume is not None else {}
    if noted:
        cfg.detector.update(noted)
        return
    fit = fit_to(cfg, build_prior_levels(cfg), train)
    if fit is None:
        log.warning("detector.priors=auto: fewer than %d objects to fit to; the given priors are kept", FEWEST)
    else:
        for line in in_words(fit, cfg.detector.match_iou):
            log.info("%s", line)
        cfg.detector.scales, cfg.detector.aspect_ratios = list(fit.scales), [list(own) for own in fit.aspect_ratios]
    cfg.detector.priors = Priors.fitted
    if cfg.resume is None:  # else it is written once the training goes on
        write_text(folder / CONFIG, OmegaConf.to_yaml(cfg))


def fit_to(cfg: DictConfig, levels: Sequence[PriorLevel], train: Dataset) -> PriorFit | None:
    """The priors that fit the boxes of a training set as the configured augmentation leaves them; None of too few.

    Args:
        cfg: of the training.
        levels: of its detector, with the given priors.
        train: the training set.

    Returns:
        The fit; None where there are fewer than `FEWEST` objects, before or after the augmentation.
    """
    if (~train.columns.crowd).sum() < FEWEST:  # of few even many draws say little
        return None
    boxes, labels = augmented_boxes(train, build_geometry(cfg), cfg.seed)
    return fit_priors(levels, boxes, labels, cfg.detector.match_iou, cfg.detector.clip_priors)


def augmented_boxes(
    dataset: Dataset, augment: Augment | None, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Boxes and labels as a training meets them, without its crowds; of large sets those of some images.

    No image is read: what moves boxes does not look at pixels, so black ones of the same size do. Where the training
    makes a mosaic of several images, here it is of one, whose boxes become as small.

    Args:
        dataset: of the training.
        augment: what happens to the boxes.
        seed: of the run.

    Returns:
        (N, 4) float32 ymin, xmin, ymax, xmax, and (N,) int32.
    """
    columns = dataset.columns
    if augment is None:
        return columns.boxes[~columns.crowd], columns.labels[~columns.crowd]
    boxes: list[NDArray[np.float32]] = []
    labels: list[NDArray[np.int32]] = []
    order = np.random.default_rng(seed).permutation(len(dataset))
    found = pixels = 0
    for draw in range(_MOST_DRAWS):
        epoch, place = divmod(draw, len(order))
        index = int(order[place])
        annotation = dataset.annotations[index]
        annotation = annotation.select(~annotation.crowd)
        if not len(annotation.labels):
            continue
        black = np.zeros((annotation.height, annotation.width, 3), np.uint8)
        after = augment(Sample(black, annotation), (seed, epoch, index)).annotation
        boxes.append(after.boxes)
        labels.append(after.labels)
        found += len(after.labels)
        pixels += black.size // 3
        if found >= MOST or pixels >= _MOST_PIXELS:
            break
    return np.concatenate([np.zeros((0, 4), np.float32), *boxes]), np.concatenate([np.zeros(0, np.int32), *labels])


def in_words(fit: PriorFit, match_iou: float) -> list[str]:
    """What was fitted and what it brings, in three lines."""
    return [
        f"priors fitted to {fit.objects:,} augmented boxes of the training set (k-means and coordinate ascent): scales "
        f"{', '.join(f'{scale:g}' for scale in fit.scales)}",
        "aspect ratios " + "; ".join(", ".join(f"{ratio:g}" for ratio in own) for own in fit.aspect_ratios),
        f"objects that a prior overlaps by {match_iou:g}: {_shares(fit.before)} → {_shares(fit.after)} (mean over the "
        f"classes); mean of the best IoU {fit.before.iou:.3f} → {fit.after.iou:.3f}",
    ]


def _shares(reach: Reach) -> str:
    return f"{reach.recall:.1%} ({reach.class_recall:.1%})"
