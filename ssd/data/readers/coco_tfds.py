"""COCO 2017 through tensorflow-datasets, downloaded or from the official archives."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from ssd.data.readers.tfds_records import read_dataset
from ssd.data.readers.tfds_store import Origin, check_split, prepare
from ssd.data.sample import Dataset, Splits

_SITE = "http://images.cocodataset.org/"
_ORIGIN = Origin(
    "COCO 2017",
    "https://cocodataset.org/#download",
    {
        "train2017": f"{_SITE}zips/train2017.zip",
        "val2017": f"{_SITE}zips/val2017.zip",
        "annotations": f"{_SITE}annotations/annotations_trainval2017.zip",
    },
)
_SPLITS = {"train": "train2017", "validation": "val2017"}


class CocoDetection(tfds.object_detection.Coco):
    """tensorflow-datasets' `coco/2017` without the annotation-free test images (6.6 GB), also from local archives.

    Two features differ from its own: areas stay fractions of a pixel instead of whole numbers, and boxes are stored
    unchecked, since tensorflow-datasets ends at the first that reaches over the image's edge by a rounding error.
    `read_dataset` checks and clips them as it does those of `coco_json`.

    A name of its own keeps it apart from a `coco` that the user prepared as tfrecord files, which have no random
    access.
    """

    BUILDER_CONFIGS: ClassVar = [
        config for config in tfds.object_detection.Coco.BUILDER_CONFIGS if config.name == "2017"
    ]

    def __init__(self, *, archives: Path | None = None, **kwargs: Any) -> None:
        self._archives = archives
        super().__init__(**kwargs)

    def _info(self) -> tfds.core.DatasetInfo:
        info = super()._info()
        objects = {
            **info.features["objects"].feature,
            "area": np.float32,
            "bbox": tfds.features.BBoxFeature(bbox_format=None),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description=info.description,
            features=tfds.features.FeaturesDict({**info.features, "objects": tfds.features.Sequence(objects)}),
            homepage=info.homepage,
            citation=info.citation,
        )

    def _split_generators(self, dl_manager: Any) -> list[Any]:
        paths = _ORIGIN.unpacked(dl_manager, self._archives)
        return [
            tfds.core.SplitGenerator(
                name=split,
                gen_kwargs={
                    "image_dir": paths[images],
                    "annotation_dir": paths["annotations"],
                    "split_name": images,
                    "annotation_type": "bboxes",
                    "panoptic_dir": None,
                },
            )
            for split, images in _SPLITS.items()
        ]


def coco(name: str, train: str, val: str, data_dir: str | None, archives: str | None) -> Splits:
    """Reads COCO 2017 through tensorflow-datasets; what is not on disk yet is downloaded and prepared first.

    Label k is the k-th of the 80 categories, as in `coco_json`; crowds, areas and images without objects are kept.

    Args:
        name: of the data set, for people.
        train, val: `train` or `validation`, sliced and added as tensorflow-datasets does: `train[:10%]`,
            `train+validation[1000:]`.
        data_dir: where tensorflow-datasets keeps its files; None: its own default.
        archives: folder with the official zip files, needed once and instead of a download; None: download.

    Raises:
        UserError: an unknown split, no network and no archives, missing or damaged archives.
    """
    for key, split in (("train", train), ("val", val)):
        check_split(key, split, split, _SPLITS)
    folder = Path(archives).expanduser() if archives is not None else None

    def make() -> CocoDetection:
        return CocoDetection(config="2017", data_dir=data_dir, file_format="array_record", archives=folder)

    builder = prepare(make, _ORIGIN, folder)
    return Splits(_dataset(f"{name}:train", builder, train), _dataset(f"{name}:val", builder, val))


def _dataset(name: str, builder: Any, split: str) -> Dataset:
    class_names = builder.info.features["objects"]["label"].names
    # Boxes are continuous pixels over the image's size: the first pixel spans 0 to 1.
    return read_dataset(name, class_names, [(builder, split)], first_pixel=0, leave_out_empty=True)
