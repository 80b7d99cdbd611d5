"""The priors of the configured detector before a training set, for its inspection."""

from omegaconf import DictConfig

from ssd.data.sample import Dataset
from ssd.errors import UserError
from ssd.experiment.build import build_prior_levels
from ssd.experiment.fitted_priors import fit_to
from ssd.inspection.priors import PriorCheck
from ssd.models.checkpoint import load_detector


def check_priors(cfg: DictConfig, train: Dataset) -> PriorCheck:
    """Of the detector that `checkpoint` names, or of the configured one, whose priors may still be fitted.

    Raises:
        UserError: there are no objects, or the detector cannot be built.
    """
    columns = train.columns
    boxes, labels = columns.boxes[~columns.crowd], columns.labels[~columns.crowd]
    if not len(boxes):
        raise UserError(f"{train.name} has no objects to compare priors with")
    detector = cfg.detector
    if cfg.checkpoint is not None:
        model = load_detector(cfg.checkpoint)
        name, size, levels, clip = model.name, model.image_size, model.prior_levels, model.prior_spec.clip
        return PriorCheck(name, size, levels, clip, detector.match_iou, boxes, labels, fit=None)
    levels = tuple(build_prior_levels(cfg))
    fit = fit_to(cfg, levels, train) if cfg.weights is None else None
    name, size, clip = detector.name, detector.image_size, detector.clip_priors
    return PriorCheck(name, size, levels, clip, detector.match_iou, boxes, labels, fit)
