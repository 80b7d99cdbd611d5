"""The typed schema of the configuration: every key a user can set, its type and its default.

This module only declares; `ssd.cli` composes and checks. It imports nothing heavy, so that a wrong key is answered
before TensorFlow is loaded. Groups whose members are open to the user's own YAML (optimizer, schedule, augmentation,
dataset, backbone) are typed where this project ships the member (`groups`), and checked against the `_target_`
otherwise.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from ssd.config.groups import MEMBERS
from ssd.config.runtime import Runtime
from ssd.runs.best_by import DEFAULT


class ResumeFrom(Enum):
    """The checkpoint that a training goes on from."""

    last = "last"
    best = "best"


class Precision(Enum):
    """Arithmetic of the network; the loss and the decoding are float32 always."""

    auto = "auto"
    float32 = "float32"
    mixed_bfloat16 = "mixed_bfloat16"
    mixed_float16 = "mixed_float16"


class Sampling(Enum):
    """How often an image is trained on in an epoch."""

    uniform = "uniform"
    class_balanced = "class_balanced"


class ScaleRate(Enum):
    """How the learning rate follows from the size of a batch."""

    none = "none"
    linear = "linear"
    sqrt = "sqrt"


class PriorSteps(Enum):
    """What the distance between prior centres is: the level's stride (Caffe) or image / feature map (torchvision)."""

    stride = "stride"
    feature_map = "feature_map"


class Priors(Enum):
    """Where scales and aspect ratios come from."""

    given = "given"
    auto = "auto"  # fitted to the training set, from the given ones
    fitted = "fitted"  # what a run notes when it has fitted them: never fitted again


@dataclass
class ExtraLayer:
    """One level after the backbone: a 1x1 convolution to `squeeze` filters, then a strided one to `filters`."""

    squeeze: int = MISSING
    filters: int = MISSING
    kernel: int = 3
    stride: int = 2
    padding: int = 1  # pixels on each side


@dataclass
class DetectorConfig:
    """conf/detector: priors, extra layers, heads, matching, loss and NMS."""

    name: str = MISSING  # in the run's name
    image_size: int = MISSING  # side in pixels of the square that images are resized to
    scales: list[float] = MISSING  # minimum prior size per level as a fraction of the image, then the tail: levels + 1
    aspect_ratios: list[list[float]] = MISSING  # per level, without 1 and without the reciprocals
    priors: Priors = (
        Priors.given
    )  # given | auto: scales and aspect_ratios fitted to the training set, from the given ones
    prior_steps: PriorSteps = PriorSteps.stride
    clip_priors: bool = False  # width and height at most 1, never the centre
    extras: list[ExtraLayer] = MISSING
    separable: bool = False  # SSDLite: depthwise separable extras and heads
    batch_norm: bool = False  # behind the convolutions of ordinary extras too
    object_prior: float | None = None  # share of objects that fresh class heads expect, as RetinaNet; null: as Caffe
    variances: list[float] = field(default_factory=lambda: [0.1, 0.1, 0.2, 0.2])
    match_iou: float = 0.5
    negative_ratio: float = 3.0
    box_loss_weight: float = 1.0
    score_threshold: float = 0.01
    nms_iou: float = 0.45
    max_per_class: int = 400  # best scores of a class that enter NMS
    max_detections: int = 200  # kept per image


@dataclass
class AugmentationConfig:
    """conf/augmentation: a list of albumentations transforms, each with its `_target_`."""

    name: str = MISSING  # for people
    transforms: list[Any] = field(default_factory=list)


@dataclass
class RecipeConfig:
    """What `training=auto` lets the images and the time decide (ssd/cli/recipe.py)."""

    network: list[str] = MISSING  # overrides, where neither a network nor a trained detector was chosen
    from_random: list[str] = MISSING  # overrides, where that network has no pretrained weights
    image_sizes: list[int] = MISSING  # of that network: the first that most objects are large enough in
    least_pixels: int = MISSING  # as large as that: the root of their area
    most_smaller: float = MISSING  # share of the objects that may be smaller, mean over the classes
    object_prior: float = MISSING  # of another network whose heads are fresh: its detector.object_prior
    batch_norm_from: int = MISSING  # images in a batch, whose statistics another pretrained network may then learn
    images: int = MISSING  # to train on in `minutes`; of more it takes longer in proportion
    between_validations: int = MISSING  # images that are trained on


@dataclass
class TrainingConfig:
    """How long and how a model is trained."""

    epochs: int = MISSING  # how often each image is seen
    minutes: float | None = None  # the training ends then, its end included, and the schedule follows the time
    batch_size: int = MISSING  # images of one step, on all devices together
    devices: int = 1  # of this machine, or of each that train together, that share a batch (docs/scale.md)
    micro_batches: int = 1  # gradient accumulation: parts in which a device's share of a batch passes the network
    synchronized_batch_norm: bool = False  # on several devices: statistics of the whole batch, not of each one's part
    scale_rate: ScaleRate = ScaleRate.none  # none | linear | sqrt: optimizer.learning_rate is for base_batch_size
    base_batch_size: int | None = None  # of scale_rate: images in the batch that the learning rate was found for
    checkpoint_minutes: float | None = 10.0  # between two checkpoints within an epoch; null: only at its end
    evaluate_every: int = 1  # epochs between two validations; the last epoch is always validated
    best_by: str = DEFAULT  # what the best validation has most of: val/mAP | val/mAP50 | val/mAP50_07
    patience: int | None = None  # validations without a better best_by before the training stops; null: never
    ema: float | None = None  # decay of a moving average of the weights, validated and kept in their place; null: none
    limit_batches: int | None = None  # per epoch and per validation, for trying things out
    shuffle: bool = True  # a new order in every epoch; false: the data set's
    diagnostics: bool = False  # per layer and epoch: gradients, updates, dead ReLUs: diagnostics.csv and its picture
    recipe: RecipeConfig | None = None  # training=auto: what depends on the images
    sampling: Sampling = Sampling.uniform  # uniform | class_balanced: images with rare classes several times an epoch


@dataclass
class PipelineConfig:
    """How images reach the device."""

    workers: int | None = None  # decode and augment: one is a thread, several are processes; null: one per core
    cache_gb: float = 2.0  # decoded images kept in memory, at most


@dataclass
class TrackingConfig:
    """MLflow and TensorBoard."""

    enabled: bool = True
    uri: str = MISSING
    experiment: str = "ssd"
    system_metrics: bool = True
    log_model: bool = True
    tensorboard: bool = False


@dataclass
class SweepConfig:
    """A multirun as a whole; `register` and `alias` in task=report too, `latency` only there."""

    resume: str | None = None  # the folder of a sweep to go on with; ssd/cli/main.py makes it the sweep's folder
    register: str | None = None  # a name in MLflow's registry: the best job's detector becomes a version of it
    alias: str = "champion"  # of the registered version
    latency: bool = False  # task=report: measures how long an image takes, all jobs in turns


@dataclass
class Config:
    """The whole configuration."""

    task: Any = MISSING
    backbone: Any = MISSING
    detector: DetectorConfig = MISSING
    dataset: Any = MISSING
    augmentation: AugmentationConfig = MISSING
    optimizer: Any = MISSING
    schedule: Any = MISSING
    training: TrainingConfig = field(default_factory=TrainingConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    name: str = MISSING
    seed: int = 0
    deterministic: bool = False  # on a GPU, too, the same command gives the same weights, more slowly (docs/compare.md)
    score_threshold: float = 0.5  # of what is drawn, written and counted in precision and recall; never used for mAP
    precision: Precision = Precision.auto
    runtime: Runtime = Runtime.auto
    gpu_memory_growth: bool = True
    checkpoint: str | None = (
        None  # a run folder, a .keras file, to predict or serve an exported one, too; train: its weights
    )
    weights: str | None = None  # instead of checkpoint, another project's: torchvision:FILE | amdegroot:FILE
    start: str | None = None  # why a training starts from its weights, where the program has chosen them and says so
    chosen: list[str] = field(default_factory=list)  # what training=auto chose and why
    resume: str | None = None  # a run folder to continue
    resume_from: ResumeFrom = ResumeFrom.last  # or best: what came after it is done again, with a fresh optimizer
    allow_changes: bool = False  # resume: also with settings that make another experiment of it
    trust: bool = False  # take from the folder of a run or sweep also what could run, write or read anything
    source: str | None = None  # predict: images, videos, streams (docs/predict.md); report, compare, reproduce: runs


def register() -> None:
    """Makes the schemas known to Hydra, by the names that conf/ has for them; may be called again."""
    store = ConfigStore.instance()
    if "schema" not in store.repo:
        store.store(group="schema", name="config", node=Config)
        for group, members in MEMBERS.items():
            for name, node in members.items():
                store.store(group=f"schema/{group}", name=name, node=node)


def schema_keys(schema: type, prefix: str = "") -> list[str]:
    """Every key of a schema, dotted; of an open group those of the members that this project ships."""
    keys: list[str] = []
    for item in fields(schema):
        nested = [item.type] if is_dataclass(item.type) else list(MEMBERS.get(item.name, {}).values())
        keys.append(prefix + item.name)
        for node in nested:
            keys += schema_keys(node, f"{prefix}{item.name}.")  # type: ignore[arg-type]
    return keys
