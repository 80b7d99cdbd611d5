"""The typed members of open groups that this project ships; a user's own YAML may bring others by `_target_`.

`conf/GROUP/*.yaml` name theirs in the defaults list, by the names in `MEMBERS`.
"""

from dataclasses import dataclass

from omegaconf import MISSING


@dataclass
class VGG16Config:
    """conf/backbone/vgg16.yaml."""

    _target_: str = "ssd.models.backbones.vgg16"
    name: str = "vgg16"
    weights: str | None = MISSING  # imagenet | imagenet_full | path of an .h5 file | null
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None  # this layer and all before it keep their weights
    mean: list[float] = MISSING  # BGR, removed from the pixels


@dataclass
class MobileNetV2Config:
    """conf/backbone/mobilenet_v2.yaml."""

    _target_: str = "ssd.models.backbones.mobilenet_v2"
    name: str = "mobilenet_v2"
    weights: str | None = MISSING
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None
    freeze_batch_norm: bool = False
    alpha: float = 1.0


@dataclass
class MobileNetV3LargeConfig:
    """conf/backbone/mobilenet_v3_large.yaml."""

    _target_: str = "ssd.models.backbones.mobilenet_v3_large"
    name: str = "mobilenet_v3_large"
    weights: str | None = MISSING
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None
    freeze_batch_norm: bool = False
    reduced_tail: bool = False
    symmetric_padding: bool = False


@dataclass
class ShapesConfig:
    """conf/dataset/shapes.yaml: the embedded, drawn data set."""

    _target_: str = "ssd.data.readers.shapes.shapes"
    name: str = "shapes"
    pretrained_weights: str | None = None
    train_images: int = 1000
    val_images: int = 200
    image_size: int = 256  # pixels of the drawn images' longer side
    seed: int = 0
    data_dir: str = MISSING


@dataclass
class VOCTFDSConfig:
    """conf/dataset/voc2007, voc2012, voc0712: through tensorflow-datasets."""

    _target_: str = "ssd.data.readers.voc_tfds.voc"
    name: str = MISSING
    pretrained_weights: str | None = "imagenet"
    train: list[str] = MISSING  # e.g. [2007/train+validation, 2012/train+validation]
    val: list[str] = MISSING
    data_dir: str | None = None  # where tensorflow-datasets keeps its files; null: its own default
    archives: str | None = None  # folder with the official tars, for use without a network


@dataclass
class CocoTFDSConfig:
    """conf/dataset/coco2017.yaml: through tensorflow-datasets."""

    _target_: str = "ssd.data.readers.coco_tfds.coco"
    name: str = MISSING
    pretrained_weights: str | None = "imagenet"
    train: str = MISSING  # e.g. train, or train[:10%]
    val: str = MISSING
    data_dir: str | None = None  # where tensorflow-datasets keeps its files; null: its own default
    archives: str | None = None  # folder with the official zips, for use without a network


@dataclass
class VOCFolderConfig:
    """conf/dataset/voc_folder.yaml: any folder in the layout of Pascal VOC."""

    _target_: str = "ssd.data.readers.voc_folder.voc_folder"
    name: str = "voc_folder"
    pretrained_weights: str | None = "imagenet"
    path: str = MISSING
    train: str = "trainval"
    val: str = "test"
    class_names: list[str] | None = None  # null: found in the annotations
    val_fraction: float = 0.2  # of a seeded split, where ImageSets/Main does not exist
    seed: int = 0


@dataclass
class CocoJsonConfig:
    """conf/dataset/coco_json.yaml: images and COCO instances JSON."""

    _target_: str = "ssd.data.readers.coco_json.coco_json"
    name: str = "coco_json"
    pretrained_weights: str | None = "imagenet"
    train_annotations: str = MISSING
    train_images: str = MISSING
    val_annotations: str = MISSING
    val_images: str = MISSING


@dataclass
class SGDConfig:
    """conf/optimizer/sgd.yaml."""

    _target_: str = "keras.optimizers.SGD"
    learning_rate: float = MISSING
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float | None = None
    global_clipnorm: float | None = None


@dataclass
class AdamConfig:
    """conf/optimizer/adam.yaml and adamw.yaml."""

    _target_: str = MISSING
    learning_rate: float = MISSING
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    weight_decay: float | None = None
    global_clipnorm: float | None = None


@dataclass
class StepConfig:
    """conf/schedule/step.yaml."""

    _target_: str = "ssd.training.schedules.step"
    boundaries: list[float] = MISSING  # fractions of the training
    factor: float = 0.1
    warmup_steps: int = 0
    warmup_factor: float = 0.001


@dataclass
class CosineConfig:
    """conf/schedule/cosine.yaml."""

    _target_: str = "ssd.training.schedules.cosine"
    final_factor: float = 0.0
    warmup_steps: int = 0
    warmup_factor: float = 0.001


MEMBERS: dict[str, dict[str, type]] = {
    "backbone": {
        "vgg16": VGG16Config,
        "mobilenet_v2": MobileNetV2Config,
        "mobilenet_v3_large": MobileNetV3LargeConfig,
    },
    "dataset": {
        "shapes": ShapesConfig,
        "voc": VOCTFDSConfig,
        "coco": CocoTFDSConfig,
        "voc_folder": VOCFolderConfig,
        "coco_json": CocoJsonConfig,
    },
    "optimizer": {"sgd": SGDConfig, "adam": AdamConfig},
    "schedule": {"step": StepConfig, "cosine": CosineConfig},
}
