"""The embedded data set: scenes drawn by `shapes_drawing`, kept by tensorflow-datasets."""

import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import tensorflow_datasets as tfds

from ssd.data.readers.shapes_drawing import CLASS_NAMES, draw_scene
from ssd.data.readers.tfds_records import read_dataset
from ssd.data.readers.tfds_store import prepared, quiet
from ssd.data.sample import Splits
from ssd.errors import UserError

log = logging.getLogger(__name__)

_STREAMS = {"train": 0, "validation": 1}  # second word of the seed: no scene is in both splits
_JPEG_QUALITY = 92


@dataclass(eq=False, kw_only=True)
class ShapesBuilderConfig(tfds.core.BuilderConfig):
    """What is drawn. Its name holds all of it, so that every variant has a folder of its own."""

    train_images: int
    val_images: int
    image_size: int
    seed: int


class Shapes(tfds.core.GeneratorBasedBuilder):
    """Circles, crosses, rings, squares, stars and triangles of any colour, turn and size; some images have none."""

    VERSION = tfds.core.Version("1.0.0")  # raise it whenever the same seed draws something else

    def _info(self) -> tfds.core.DatasetInfo:
        objects = {"bbox": tfds.features.BBoxFeature(), "label": tfds.features.ClassLabel(names=CLASS_NAMES)}
        features = {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "image/filename": tfds.features.Text(),
            "objects": tfds.features.Sequence(objects),
        }
        return tfds.core.DatasetInfo(
            builder=self, description=self.__doc__, features=tfds.features.FeaturesDict(features)
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        config = self.builder_config
        return {
            "train": self._generate_examples("train", config.train_images),
            "validation": self._generate_examples("validation", config.val_images),
        }

    def _generate_examples(self, split: str, images: int) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.builder_config
        for i in range(images):
            scene = draw_scene(np.random.default_rng((config.seed, _STREAMS[split], i)), config.image_size)
            height, width = scene.image.shape[:2]
            bgr = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
            encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1].tobytes()
            boxes = scene.boxes / (height, width, height, width)
            yield (
                i,
                {
                    "image": io.BytesIO(encoded),
                    "image/filename": f"{split}_{i:05d}.jpg",
                    "objects": [
                        {"bbox": tfds.features.BBox(*box), "label": label}
                        for box, label in zip(boxes.tolist(), scene.labels.tolist(), strict=True)
                    ],
                },
            )


def shapes(
    train_images: int, val_images: int, image_size: int, seed: int, data_dir: str, name: str = "shapes"
) -> Splits:
    """Draws the data set, or finds it drawn: the same arguments give the same bytes.

    Args:
        train_images, val_images: how many of each, at least one.
        image_size: pixels of the longer side, at least 64; the smallest objects have about a tenth of it.
        seed: any whole number from 0.
        data_dir: folder that keeps it for the next run, about 20 kB an image at 256 pixels.
        name: of the data set, for people.

    Raises:
        UserError: a number is too small, or `data_dir` cannot be written.
    """
    limits = {"train_images": (train_images, 1), "val_images": (val_images, 1), "image_size": (image_size, 64)}
    for key, (value, least) in {**limits, "seed": (seed, 0)}.items():
        if value < least:
            raise UserError(f"dataset.{key}={value} must be at least {least}.")
    variant = ShapesBuilderConfig(
        name=f"train{train_images}_val{val_images}_size{image_size}_seed{seed}",
        train_images=train_images,
        val_images=val_images,
        image_size=image_size,
        seed=seed,
    )

    def make() -> Shapes:
        return Shapes(config=variant, data_dir=data_dir, file_format="array_record")

    try:
        with quiet():
            builder = make()
            if not builder.info.splits:  # nor where another process has finished them just now, which it has not read
                log.info("Drawing %d + %d images into %s.", train_images, val_images, data_dir)
                builder = prepared(make)
    except OSError as error:
        raise UserError(f"dataset.data_dir={data_dir} cannot be written ({error}): choose another folder.") from error
    train, val = (
        read_dataset(f"{name}:{split}", CLASS_NAMES, [(builder, part)], first_pixel=0)
        for split, part in (("train", "train"), ("val", "validation"))
    )
    return Splits(train, val)
