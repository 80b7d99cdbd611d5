"""What every reader gives and everything after it takes: annotations, samples, datasets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ssd.data.annotations import Annotation, Annotations
from ssd.data.images import MAX_PIXELS, ImageFiles, decode_image, encoded_size, reduced_size, reducible
from ssd.data.orientation import turned_to
from ssd.data.problems import Problem
from ssd.errors import UserError

__all__ = ["Annotation", "Annotations", "Dataset", "Sample", "Splits"]


class Picture(Protocol):
    """An image that may not be decoded yet, with its annotation."""

    @property
    def annotation(self) -> Annotation: ...

    @property
    def image(self) -> NDArray[np.uint8]:
        """(height, width, 3) uint8 RGB."""

    def reduced(self, reduction: int) -> tuple[NDArray[np.uint8], int]:
        """The image with its sides divided by up to `reduction`, one of `REDUCTIONS`, and by how much they were."""

    def other(self, number: int) -> "Picture":
        """A picture of the same data set, the same one for the same number, which may be any from 0 on."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One decoded image, (height, width, 3) uint8 RGB, with its annotation."""

    image: NDArray[np.uint8]
    annotation: Annotation

    def reduced(self, reduction: int) -> tuple[NDArray[np.uint8], int]:
        """As it is: there is nothing to save once it is decoded."""
        return self.image, 1

    def other(self, number: int) -> "Sample":
        """Itself: it is of no data set."""
        return self


@dataclass(frozen=True, eq=False)
class Dataset:
    """A random access data set: annotations in memory, images read and decoded when asked for.

    Attributes:
        name: for people and for MLflow, e.g. "voc_folder:test".
        class_names: without background, in label order.
        annotations: one per image; those of our readers are `Annotations`.
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

    @cached_property
    def columns(self) -> Annotations:
        """All annotations as columns over all objects."""
        return Annotations.of(self.annotations)

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
        return Sample(self.decoded(index), self.annotations[index])

    def decoded(self, index: int, reduction: int = 1) -> NDArray[np.uint8]:
        """Image `index`, where its format can with its sides divided by `reduction` (one of `REDUCTIONS`).

        Raises:
            UserError: as `dataset[index]`.
        """
        annotation, data = self.annotations[index], self.read(index)
        reduction = reduction if reducible(data) else 1
        size = reduced_size((annotation.height, annotation.width), reduction)
        image = turned_to(decode_image(data, self.where(index), self.max_pixels, reduction=reduction), data, size)
        if image.shape[:2] != size:
            raise self.misfit(index, encoded_size(data, self.where(index)))
        return image

    def misfit(self, index: int, size: tuple[int, int]) -> UserError:
        """What to say of an image whose height and width, `size`, are not those that its boxes were normalised by."""
        annotation = self.annotations[index]
        return UserError(
            f"The image {self.where(index)} has height and width {size}, but its annotation says "
            f"{(annotation.height, annotation.width)}: correct the annotation or put the right image there."
        )


@dataclass(frozen=True, eq=False)
class Splits:
    """The two parts of a data set an experiment uses; both have the same class names.

    Attributes:
        train, val: the parts.
        problems: what their reader noted of the user's files.
    """

    train: Dataset
    val: Dataset
    problems: Sequence[Problem] = ()
