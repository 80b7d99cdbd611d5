"""From the configuration to the parts of a run: with the task modules, the only code that reads the configuration."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import albumentations as alb
import keras
import tensorflow as tf
from omegaconf import DictConfig, OmegaConf

from ssd.cluster import LONE, Member
from ssd.config.instantiate import instantiate
from ssd.config.schemas import ResumeFrom, Sampling, ScaleRate
from ssd.data.augmentation import Augmentation
from ssd.data.loader import Augment
from ssd.data.one_pass import OnePass, is_one_pass
from ssd.data.pipeline import Batches
from ssd.data.sample import Dataset
from ssd.data.sampling import repeated
from ssd.device import choose_precision
from ssd.errors import UserError
from ssd.experiment.own_parts import as_backbone, as_optimizer, as_schedule
from ssd.models.checkpoint import check_storable, load_detector
from ssd.models.detector import SSD, NMSSettings, PriorSpec, prior_levels
from ssd.models.extras import ExtraLevel, map_sides
from ssd.models.head_weights import initialise_heads
from ssd.models.priors import PriorLevel
from ssd.runs.checkpoint import checkpoint_file
from ssd.runs.folder import LAST
from ssd.training.loss import MultiBoxLoss
from ssd.training.optimizers import at_share_of_the_rate, fused, scaled_rate, with_summed_gradients
from ssd.training.schedules import by_time
from ssd.training.step import exclude_from_weight_decay
from ssd.training.targets import TargetEncoder
from ssd.weights.reader import TrainedWeights, read_weights
from ssd.weights.transfer import transfer, weights_of

log = logging.getLogger(__name__)

_STEPS_OF_TIME = 1_000_000  # that a schedule is made for where the clock leads through it


def build_train_batches(cfg: DictConfig, dataset: Dataset, member: Member = LONE) -> Batches:
    """Shuffled, augmented batches, of which `member` has its part."""
    return Batches(
        repeated(dataset, cfg.training.sampling == Sampling.class_balanced, cfg.seed),
        image_size=cfg.detector.image_size,
        augmentation=_augmentation(_transforms(cfg), cfg.detector.image_size),
        shuffle=cfg.training.shuffle,
        drop_remainder=True,
        member=member,
        **_batch_settings(cfg),
    )


def build_geometry(cfg: DictConfig) -> Augment | None:
    """The augmentation without what changes colours alone: what it makes of boxes."""
    moving = [transform for transform in _transforms(cfg) if not isinstance(transform, alb.ImageOnlyTransform)]
    return _augmentation(moving, cfg.detector.image_size)


def _transforms(cfg: DictConfig) -> list[Any]:
    nodes = cfg.augmentation.transforms
    return [instantiate(node, f"augmentation.transforms[{index}]") for index, node in enumerate(nodes)]


def _augmentation(transforms: Sequence[alb.BasicTransform], image_size: int) -> Augment | None:
    """The fastest way through a list."""
    if is_one_pass(transforms, image_size):
        return OnePass(transforms, image_size)
    return Augmentation(transforms) if transforms else None


def build_val_batches(
    cfg: DictConfig,
    dataset: Dataset,
    image_size: int,
    member: Member = LONE,
) -> Batches:
    """Batches in the data set's order, images only resized, of which `member` has its part."""
    return Batches(
        dataset,
        image_size=image_size,
        augmentation=None,
        shuffle=False,
        drop_remainder=False,
        member=member,
        **_batch_settings(cfg),
    )


def _batch_settings(cfg: DictConfig) -> dict[str, Any]:
    """What training and validation have in common."""
    return {
        "batch_size": cfg.training.batch_size,
        "limit": cfg.training.limit_batches,
        "seed": cfg.seed,
        "workers": cfg.pipeline.workers,
        "cache_gb": cfg.pipeline.cache_gb,
    }


def build_detector(cfg: DictConfig, class_names: tuple[str, ...]) -> SSD:
    """The network, in Keras' current precision; its random weights follow from the seed alone."""
    keras.utils.set_random_seed(cfg.seed)
    detector = cfg.detector
    backbone = _build_backbone(cfg, trained=not _starts_from_checkpoint(cfg))  # or all weights are replaced
    model = SSD(
        backbone,
        class_names,
        extras=[ExtraLevel(**extra) for extra in detector.extras],
        priors=_prior_spec(cfg),
        variances=detector.variances,
        separable=detector.separable,
        nms=NMSSettings(detector.score_threshold, detector.nms_iou, detector.max_per_class, detector.max_detections),
        batch_norm=detector.batch_norm,
        name=cfg.detector.name,
    )
    if detector.object_prior is not None:
        initialise_heads(model, detector.object_prior, cfg.seed)
    check_storable(model)
    return model


def build_prior_levels(cfg: DictConfig) -> list[PriorLevel]:
    """The levels of the configured detector, for which no more of it is built than its backbone, without weights."""
    maps = _build_backbone(cfg, trained=False).outputs
    extras = [ExtraLevel(**extra) for extra in cfg.detector.extras]
    sides = map_sides([int(features.shape[1]) for features in maps], extras)
    return prior_levels(cfg.detector.image_size, sides, len(maps), extras, _prior_spec(cfg))


def _build_backbone(cfg: DictConfig, trained: bool) -> keras.Model:
    """The backbone; unless its own weights are wanted, none are downloaded and no file is needed."""
    arguments = {key: value for key, value in cfg.backbone.items() if key != "name"}
    if "weights" in arguments and not trained:
        arguments["weights"] = None
    made = instantiate(OmegaConf.create(arguments), "backbone", image_size=cfg.detector.image_size)
    return as_backbone(made, cfg.backbone["_target_"], cfg.detector.image_size)


def _prior_spec(cfg: DictConfig) -> PriorSpec:
    detector = cfg.detector
    ratios = tuple(map(tuple, detector.aspect_ratios))
    return PriorSpec(tuple(detector.scales), ratios, detector.prior_steps.name, detector.clip_priors)


def build_detector_in_precision(cfg: DictConfig, class_names: tuple[str, ...]) -> SSD:
    """The network in the precision that fits it and this device; where that depends on its layers, built once more."""
    policy, _ = choose_precision(cfg.precision.name)
    model = _build_detector_in(policy, cfg, class_names)
    fitting, why = choose_precision(cfg.precision.name, model)
    log.info("precision %s (%s)", fitting, why)
    return model if fitting == policy else _build_detector_in(fitting, cfg, class_names)


def _build_detector_in(policy: str, cfg: DictConfig, class_names: tuple[str, ...]) -> SSD:
    keras.config.set_dtype_policy(policy)
    return build_detector(cfg, class_names)


def _starts_from_checkpoint(cfg: DictConfig) -> bool:
    return goes_on(cfg) or cfg.checkpoint is not None or cfg.weights is not None


def goes_on(cfg: DictConfig) -> bool:
    """Whether a training has a checkpoint of its own to go on from."""
    return cfg.resume is not None and (cfg.resume_from == ResumeFrom.best or (Path(cfg.resume) / LAST).exists())


def read_trained(cfg: DictConfig) -> TrainedWeights | None:
    """The weights that a training starts from, if `checkpoint` or `weights` names any, and it does not go on."""
    if goes_on(cfg):
        return None
    if cfg.checkpoint is not None:
        return weights_of(load_detector(cfg.checkpoint), str(checkpoint_file(cfg.checkpoint)))
    return read_weights(cfg.weights) if cfg.weights is not None else None


def load_trained(cfg: DictConfig) -> SSD:
    """The detector that `checkpoint` or `weights` names, ready for use.

    Raises:
        UserError: where it cannot be read, or the configured network is not the one of `weights`.
    """
    if cfg.checkpoint is not None:
        return load_detector(cfg.checkpoint)
    weights = read_weights(cfg.weights)
    model = build_detector(cfg, weights.class_names)
    transferred = transfer(weights, model)
    if not transferred.complete:
        raise UserError(
            f"{weights.origin} does not fit the configured detector at {', '.join(transferred.fresh)}; leave the "
            "settings of its network as weights= brings them"
        )
    return model


def build_loss(cfg: DictConfig) -> MultiBoxLoss:
    """The MultiBox loss."""
    return MultiBoxLoss(cfg.detector.negative_ratio, cfg.detector.box_loss_weight)


def build_target_encoder(cfg: DictConfig, model: SSD) -> TargetEncoder:
    """The matching of objects to the model's priors."""
    return TargetEncoder(model.box_coder, cfg.detector.match_iou)


def build_optimizer(
    cfg: DictConfig, model: SSD, steps_per_epoch: int, time: tf.Variable | None = None
) -> keras.optimizers.Optimizer:
    """The optimizer with its schedule, built for the model, weight decay on kernels only.

    The schedule is gone through by steps, or by the share of the time that is gone, where one is given.
    """
    total_steps = steps_per_epoch * cfg.training.epochs if time is None else _STEPS_OF_TIME
    made = instantiate(
        cfg.schedule,
        "schedule",
        learning_rate=learning_rate(cfg),
        total_steps=total_steps,
    )
    schedule = as_schedule(made, cfg.schedule["_target_"])
    if time is not None and not isinstance(schedule, int | float):
        schedule = by_time(schedule, total_steps, time)
    return optimizer_with(cfg, model, schedule)


def learning_rate(cfg: DictConfig) -> float:
    """The one that is configured, scaled to the batch where that is asked for."""
    rate: float = cfg.optimizer.learning_rate
    training = cfg.training
    if training.scale_rate == ScaleRate.none:
        return rate
    return scaled_rate(rate, training.scale_rate.name, training.batch_size, training.base_batch_size)


def optimizer_with(
    cfg: DictConfig, model: SSD, schedule: keras.optimizers.schedules.LearningRateSchedule | float
) -> keras.optimizers.Optimizer:
    """The optimizer with a schedule of its learning rate, built for the model, weight decay on kernels only."""
    arguments = OmegaConf.create({key: value for key, value in cfg.optimizer.items() if key != "backbone_rate"})
    made = instantiate(arguments, "optimizer", learning_rate=schedule)
    optimizer = with_summed_gradients(fused(as_optimizer(made, cfg.optimizer["_target_"])))
    share = cfg.optimizer.get("backbone_rate", 1.0)
    optimizer = at_share_of_the_rate(optimizer, model.backbone.trainable_variables, share)
    exclude_from_weight_decay(optimizer, model)
    if model.dtype_policy.name == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(model.trainable_variables)
    return optimizer
