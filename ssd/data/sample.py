"""What every reader gives and everything after it takes: annotations, samples, datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ssd.data.images import MAX_PIXELS, ImageFiles, decode_image, encoded_size, reduced_size, reducible
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


class Picture(Protocol):
    """An image that may not be decoded yet, with its annotation."""

    @property
    def annotation(self) -> Annotation: ...

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB."""

    def reduced(self, reduction: int) -> tuple[NDArray[np.uint8], int]:
        """The image with its sides divided by up to `reduction` (of `images.REDUCTIONS`), and by how much they were."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One decoded image, (height, width, 3) uint8 RGB, with its annotation."""

    image: NDArray[np.uint8]
    annotation: Annotation

    def reduced(self, reduction: int) -> tuple[NDArray[np.uint8], int]:
        """As it is: there is nothing to save once it is decoded."""
        return self.image, 1


@dataclass(frozen=True, eq=False)
class Dataset:
    """A random access data set: annotations in memory, images read and decoded when asked for.

    Attributes:
        name: for people and for MLflow, e.g. "voc_folder:test".
        class_names: without background, in label order.
        annotations: one per image.
        read: gives the encoded bytes (JPEG, PNG, ...) of image `i`.
        max_pixels: of an image that is decoded.
    """

    name: str
    class_names: tuple[str, ...]
    annotations: Sequence[Annotation]
    read: Callable[[int], bytes]
    max_pixels: int = MAX_PIXELS

    def where(self, index: int) -> str:
        """Image `index` for a message: its file, or where it has none of its own its name and the data set's."""
        if isinstance(self.read, ImageFiles):
            return str(self.read.paths[index])
        return f"{self.annotations[index].id} of {self.name}"

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, index: int) -> Sample:
        """Decodes image `index`.

        Raises:
            UserError: the file is damaged or too large, or its size is not the one its boxes were normalised by.
        """
        return Sample(self.decoded(index), self.annotations[index])

    def decoded(self, index: int, reduction: int = 1) -> NDArray[np.uint8]:
        """Image `index`, where its format can with its sides divided by `reduction` (of `images.REDUCTIONS`).

        Raises:
            UserError: as `dataset[index]`.
        """
        annotation, data = self.annotations[index], self.read(index)
        reduction = reduction if reducible(data) else 1
        image = decode_image(data, self.where(index), self.max_pixels, reduction)
        if image.shape[:2] != reduced_size((annotation.height, annotation.width), reduction):
            raise UserError(
                f"The image {self.where(index)} has height and width {encoded_size(data, self.where(index))}, but its "
                f"annotation says {(annotation.height, annotation.width)}: correct the annotation or put the right "
                "image there."
            )
        return image


@dataclass(frozen=True, eq=False)
class Splits:
    """The two parts of a data set an experiment uses; both have the same class names."""

    train: Dataset
    val: Dataset
