"""The typed members of open groups that this project ships; a user's own YAML may bring others by `_target_`.

`conf/GROUP/*.yaml` name theirs in the defaults list, by the names in `MEMBERS`.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING


@dataclass
class TaskConfig:
    """conf/task/convert.yaml and report.yaml: a function of the configuration and the run's folder."""

    _target_: str = MISSING
    name: str = MISSING  # of the task, and of the folder in outputs/ that has its runs


@dataclass
class UiConfig(TaskConfig):
    """conf/task/ui.yaml."""

    port: int = 5000  # of the local server, or the next free one


@dataclass
class InspectConfig(TaskConfig):
    """conf/task/inspect.yaml."""

    suspects: int = 40  # objects that a detector finds otherwise, at most, the surest first


@dataclass
class RateTestConfig(TaskConfig):
    """conf/task/lr_find.yaml."""

    steps: int = 100  # of the training
    lowest: float = 1e-7  # rate of the first step
    highest: float = 1.0  # of the last one, unless the loss is lost before


@dataclass
class EvaluateConfig(TaskConfig):
    """conf/task/evaluate.yaml and train.yaml."""

    pictures: int = 8  # validation images drawn with what is right, missed and false: the worst and the typical


@dataclass
class ReproduceConfig(EvaluateConfig):
    """conf/task/reproduce.yaml."""


@dataclass
class PredictConfig(TaskConfig):
    """conf/task/predict.yaml."""

    save: list[str] = field(default_factory=lambda: ["pictures"])  # of pictures, crops, coco, csv, yolo, voc
    class_thresholds: Any = None  # {cat: 0.7}: the least score of a class, in the place of score_threshold
    flip: bool = False  # also looks at the mirrored image
    tiles: int | None = None  # also looks at square tiles of so many pixels; null: at the whole image only
    tile_overlap: float = 0.2  # share of a tile's side that the next one has, too


@dataclass
class ExportConfig(TaskConfig):
    """conf/task/export.yaml."""

    format: Any = "openvino"  # saved_model | onnx | openvino | litert, a list of them, or all
    precision: Any = "float32"  # float32 | bfloat16 | float16 | int8 | full_int8, a list, or all that a format has
    calibration_images: int = 300  # of the training split, that int8 takes its ranges from; chosen by seed


@dataclass
class BenchmarkConfig(TaskConfig):
    """conf/task/benchmark.yaml."""

    format: Any = None  # null: what has been exported; as of task=export: these, exported where they are missing
    precision: Any = "float32"  # of them: as of task=export
    calibration_images: int = 300  # of an export that is missing, as of task=export
    batch_sizes: list[int] = field(default_factory=lambda: [1, 8])  # images that pass together
    threads: list[int] | None = None  # of a process; null: one for each core
    others: list[str] = field(default_factory=list)  # run folders of other detectors, measured with what they have
    images: int = 32  # of the validation split, that times are measured with
    seconds: float = 2.0  # that each of latency and throughput is measured for, and at most three times that


@dataclass
class CompareConfig(TaskConfig):
    """conf/task/compare.yaml."""

    draws: int = 1000  # of the validation images, by which a difference is told from chance


@dataclass
class ServeConfig(TaskConfig):
    """conf/task/serve.yaml; the same as `ssd.serving.settings.Settings`, which has their limits."""

    host: str = "127.0.0.1"  # address to listen at; 0.0.0.0: of every network
    port: int = 8000  # 0: any that is free
    model: str = "detector"  # its name in addresses: /v2/models/detector/infer
    batch_size: int = 8  # images that pass the network together, at most
    max_wait_ms: float = 5.0  # that an image waits at most for others to pass with it
    queue: int = 64  # images that may be at work or wait; of more the answer is 503
    max_images: int = 16  # of a request
    max_megabytes: float = 32.0  # of a request
    max_pixels: int = 50_000_000  # of an image, height times width; refused before it is decoded
    timeout: float = 30.0  # seconds that a request may take, from its first byte to the answer


@dataclass
class VGG16Config:
    """conf/backbone/vgg16.yaml."""

    _target_: str = "ssd.models.backbones.vgg16"
    name: str = "vgg16"  # in the run's name
    weights: str | None = MISSING  # imagenet | imagenet_full | path of an .h5 file | null
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None  # this layer and all before it keep their weights
    mean: list[float] = MISSING  # BGR, removed from the pixels


@dataclass
class MobileNetV2Config:
    """conf/backbone/mobilenet_v2.yaml."""

    _target_: str = "ssd.models.backbones.mobilenet_v2"
    name: str = "mobilenet_v2"  # in the run's name
    weights: str | None = MISSING
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None
    freeze_batch_norm: bool = False
    alpha: float = 1.0


@dataclass
class MobileNetV3LargeConfig:
    """conf/backbone/mobilenet_v3_large.yaml."""

    _target_: str = "ssd.models.backbones.mobilenet_v3_large"
    name: str = "mobilenet_v3_large"  # in the run's name
    weights: str | None = MISSING
    feature_layers: list[str] = MISSING
    freeze_until: str | None = None
    freeze_batch_norm: bool = False
    reduced_tail: bool = False
    symmetric_padding: bool = False


@dataclass
class DatasetConfig:
    """What of a data set is taken; every one of conf/dataset has these keys. docs/data-options.md has examples."""

    classes: Any = None  # null: all; [cat,dog]: these only; {pet:[cat,dog],car:car}: renamed and merged
    keep_empty_classes: bool = False  # false: classes without any object are left out, unless they are listed by you
    ignore_difficult: bool = False  # objects marked difficult are neither trained on nor wrong or missed
    ignore_smaller_than: float | None = None  # pixels; the same for objects with a smaller area than its square
    limit_train: int | None = None  # take at most this many images, spread over the split
    limit_val: int | None = None  # the same, to validate on
    negatives: str | None = None  # a folder of images without objects, to train on too


@dataclass
class JoinedConfig(DatasetConfig):
    """conf/dataset/joined.yaml: several data sets as one."""

    _target_: str = "ssd.data.joining.joined"
    name: str = "joined"  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    pretrained_detector: str | None = "torchvision:ssdlite320_mobilenet_v3_large"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    parts: dict[str, Any] = field(default_factory=dict)  # name → a data set with keys of its own
    weights: dict[str, float] = field(default_factory=dict)  # name → how often its images are trained on, else 1


@dataclass
class ShapesConfig(DatasetConfig):
    """conf/dataset/shapes.yaml: the embedded, drawn data set."""

    _target_: str = "ssd.data.readers.shapes.shapes"
    name: str = "shapes"  # of the data set, for people
    pretrained_weights: str | None = None
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    keep_empty_classes: bool = True  # its classes are fixed
    train_images: int = 1000  # how many are drawn
    val_images: int = 200  # how many are drawn
    image_size: int = 256  # pixels of the drawn images' longer side
    seed: int = 0
    data_dir: str = MISSING


@dataclass
class VOCTFDSConfig(DatasetConfig):
    """conf/dataset/voc2007, voc2012, voc0712: through tensorflow-datasets."""

    _target_: str = "ssd.data.readers.voc_tfds.voc"
    name: str = MISSING  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    keep_empty_classes: bool = True  # its classes are fixed
    train: list[str] = MISSING  # e.g. [2007/train+validation, 2012/train+validation]
    val: list[str] = MISSING  # the same, to validate on
    data_dir: str | None = None  # where tensorflow-datasets keeps its files; null: its own default
    archives: str | None = None  # folder with the official tars, for use without a network


@dataclass
class CocoTFDSConfig(DatasetConfig):
    """conf/dataset/coco2017.yaml: through tensorflow-datasets."""

    _target_: str = "ssd.data.readers.coco_tfds.coco"
    name: str = MISSING  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    keep_empty_classes: bool = True  # its classes are fixed
    train: str = MISSING  # e.g. train, or train[:10%]
    val: str = MISSING  # the same, to validate on
    data_dir: str | None = None  # where tensorflow-datasets keeps its files; null: its own default
    archives: str | None = None  # folder with the official zips, for use without a network


@dataclass
class VOCFolderConfig(DatasetConfig):
    """conf/dataset/voc_folder.yaml: any folder in the layout of Pascal VOC."""

    _target_: str = "ssd.data.readers.voc_folder.voc_folder"
    name: str = MISSING  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    pretrained_detector: str | None = "torchvision:ssdlite320_mobilenet_v3_large"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    path: str = MISSING
    train: str = "trainval"
    val: str = "test"  # the same, to validate on
    class_names: list[str] | None = None  # null: found in the annotations
    val_fraction: float = 0.2  # of a seeded split, where ImageSets/Main does not exist
    seed: int = 0
    on_error: str = "raise"  # raise: what cannot be used ends the run; skip: it is left out, counted and listed


@dataclass
class FolderConfig(DatasetConfig):
    """conf/dataset/folder.yaml: a folder or archive of images and labels as any tool left them."""

    _target_: str = "ssd.data.folder.reader.folder"
    name: str = MISSING  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    pretrained_detector: str | None = "torchvision:ssdlite320_mobilenet_v3_large"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    path: str = MISSING
    format: str = "auto"
    train: str | None = None
    val: str | None = None
    class_names: list[str] | None = None
    val_fraction: float = 0.2
    seed: int = 0
    data_dir: str = "data"
    convert: str | None = None
    on_error: str = "raise"  # raise: what cannot be used ends the run; skip: it is left out, counted and listed


@dataclass
class CocoJsonConfig(DatasetConfig):
    """conf/dataset/coco_json.yaml: images and COCO instances JSON."""

    _target_: str = "ssd.data.readers.coco_json.coco_json"
    name: str = MISSING  # of the data set, for people
    pretrained_weights: str | None = "imagenet"
    pretrained_detector: str | None = "torchvision:ssdlite320_mobilenet_v3_large"
    max_pixels: int = 100_000_000  # of an image, height times width; larger ones are refused before they are decoded
    train_annotations: str = MISSING
    train_images: str = MISSING
    val_annotations: str = MISSING
    val_images: str = MISSING
    on_error: str = "raise"  # raise: what cannot be used ends the run; skip: it is left out, counted and listed


@dataclass
class SGDConfig:
    """conf/optimizer/sgd.yaml."""

    _target_: str = "keras.optimizers.SGD"
    learning_rate: float = MISSING
    momentum: float = 0.9  # share of the last step that is kept
    nesterov: bool = False  # Nesterov's momentum
    weight_decay: float | None = None  # of convolution kernels only, per step and times the rate; null: none
    global_clipnorm: float | None = None
    backbone_rate: float = 1.0  # share of the rate for the backbone's weights, which mostly are pretrained


@dataclass
class AdamConfig:
    """conf/optimizer/adam.yaml and adamw.yaml."""

    _target_: str = MISSING
    learning_rate: float = MISSING
    beta_1: float = 0.9  # of the mean of the gradients
    beta_2: float = 0.999  # of the mean of their squares
    epsilon: float = 1e-7  # added to the root of that
    weight_decay: float | None = None  # of convolution kernels only, per step and times the rate; null: none
    global_clipnorm: float | None = None
    backbone_rate: float = 1.0  # share of the rate for the backbone's weights, which mostly are pretrained


@dataclass
class StepConfig:
    """conf/schedule/step.yaml."""

    _target_: str = "ssd.training.schedules.step"
    boundaries: list[float] = MISSING  # fractions of the training
    factor: float = 0.1
    warmup_steps: int = 0  # of a rate that rises linearly; 0: none
    warmup_factor: float = 0.001


@dataclass
class CosineConfig:
    """conf/schedule/cosine.yaml."""

    _target_: str = "ssd.training.schedules.cosine"
    final_factor: float = 0.0
    warmup_steps: int = 0  # of a rate that rises linearly; 0: none
    warmup_factor: float = 0.001


MEMBERS: dict[str, dict[str, type]] = {
    "task": {
        "task": TaskConfig,
        "ui": UiConfig,
        "inspect": InspectConfig,
        "evaluate": EvaluateConfig,
        "reproduce": ReproduceConfig,
        "predict": PredictConfig,
        "export": ExportConfig,
        "benchmark": BenchmarkConfig,
        "compare": CompareConfig,
        "serve": ServeConfig,
        "lr_find": RateTestConfig,
    },
    "backbone": {
        "vgg16": VGG16Config,
        "mobilenet_v2": MobileNetV2Config,
        "mobilenet_v3_large": MobileNetV3LargeConfig,
    },
    "dataset": {
        "joined": JoinedConfig,
        "shapes": ShapesConfig,
        "voc": VOCTFDSConfig,
        "coco": CocoTFDSConfig,
        "folder": FolderConfig,
        "voc_folder": VOCFolderConfig,
        "coco_json": CocoJsonConfig,
    },
    "optimizer": {"sgd": SGDConfig, "adam": AdamConfig},
    "schedule": {"step": StepConfig, "cosine": CosineConfig},
}
