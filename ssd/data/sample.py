"""What every reader gives and everything after it takes: annotations, samples, datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ssd.data.images import MAX_PIXELS, ImageFiles, decode_image
from ssd.data.orientation import turned_to
from ssd.errors import UserError


@dataclass(frozen=True, eq=False)
class Annotation:
    """The objects of one image. N may be 0: images without objects are normal.

    Attributes:
        id: names the image to the user (file name without folder, or the data set's own id); unique in a data set.
        height, width: of the image in pixels.
        boxes: (N, 4) float32, normalised ymin, xmin, ymax, xmax inside [0, 1], with positive sides.
        labels: (N,) int32, index into the data set's `class_names` (background is not a class here).
        difficult: (N,) bool, VOC's flag: trained on, neither required nor wrong in VOC evaluation.
        crowd: (N,) bool, COCO's iscrowd: never trained on, ignored in evaluation.
        areas: (N,) float32, in pixels: COCO's segmentation area where given, else the box's.

    Raises:
        ValueError: where the shapes do not fit each other.
    """

    id: str
    height: int
    width: int
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    difficult: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.boxes)
        columns = (self.labels, self.difficult, self.crowd, self.areas)
        if self.boxes.shape != (count, 4) or any(column.shape != (count,) for column in columns):
            shapes = [column.shape for column in (self.boxes, *columns)]
            raise ValueError(f"boxes, labels, difficult, crowd and areas must be (N, 4) and (N,), not {shapes}")

    def select(self, rows: Any) -> "Annotation":
        """The same image with some of its objects: `rows` is a mask or an array of indices, repeated ones too."""
        return replace(
            self,
            boxes=self.boxes[rows],
            labels=self.labels[rows],
            difficult=self.difficult[rows],
            crowd=self.crowd[rows],
            areas=self.areas[rows],
        )


@dataclass(frozen=True, eq=False)
class Sample:
    """One decoded image, (height, width, 3) uint8 RGB, with its annotation."""

    image: NDArray[np.uint8]
    annotation: Annotation


@dataclass(frozen=True, eq=False)
class Dataset:
    """A random access data set: annotations in memory, images read and decoded when asked for.

    Attributes:
        name: for people and for MLflow, e.g. "voc_folder:test".
        class_names: without background, in label order.
        annotations: one per image.
        read: gives the encoded bytes (JPEG, PNG, ...) of image `i`.
        max_pixels: of an image that is decoded.
        weights: (N,) how often each image is to be trained on, relative to the others; None: all alike.
    """

    name: str
    class_names: tuple[str, ...]
    annotations: Sequence[Annotation]
    read: Callable[[int], bytes]
    max_pixels: int = MAX_PIXELS
    weights: NDArray[np.float64] | None = None

    def where(self, index: int) -> str:
        """Image `index` for a message: its file, or where it has none of its own its name and the data set's."""
        if isinstance(self.read, ImageFiles):
            return str(self.read.paths[index])
        return f"{self.annotations[index].id} of {self.name}"

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """Decodes image `index`: the pixels that its annotation was made on, see `ssd.data.orientation`.

        Raises:
            UserError: the file is damaged or too large, or its size is not the one its boxes were normalised by.
        """
        annotation = self.annotations[index]
        data, size = self.read(index), (annotation.height, annotation.width)
        image = turned_to(decode_image(data, self.where(index), self.max_pixels), data, size)
        if image.shape[:2] != size:
            raise UserError(
                f"The image {self.where(index)} has height and width {image.shape[:2]}, but its annotation "
                f"says {(annotation.height, annotation.width)}: correct the annotation or put the right image there."
            )
        return Sample(image, annotation)


@dataclass(frozen=True, eq=False)
class Splits:
    """The two parts of a data set an experiment uses; both have the same class names."""

    train: Dataset
    val: Dataset
