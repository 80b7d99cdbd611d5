"""The images of a batch: decoded, augmented, resized, with padded boxes. What the pipeline's workers do.

It comes without TensorFlow, so that a worker process starts soon and stays small.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ssd.data.cache import ImageCache
from ssd.data.sample import Annotation, Dataset, Picture, Sample
from ssd.native_output import native_output_size

Augment = Callable[[Picture, tuple[int, int, int]], Sample]  # of a picture and (seed, epoch, index)


class Objects(NamedTuple):
    """Of a batch: boxes (B, M, 4) float32, labels (B, M) int32, and images at whose decoding a library wrote."""

    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    suspects: list[int]


@dataclass(eq=False)
class Loader:
    """Makes batches of a data set's images.

    Attributes:
        dataset: crowd objects in it are left out.
        image_size: S.
        max_boxes: M.
        augmentation, seed: see `pipeline.Batches`.
        cache: of the decoded images, without augmentation of the resized ones; None: each is decoded every time.
    """

    dataset: Dataset
    image_size: int
    max_boxes: int
    augmentation: Augment | None
    seed: int
    cache: ImageCache | None = None

    def fill(self, images: NDArray[np.uint8], indices: NDArray[np.int32], epoch: int) -> Objects:
        """Writes the images `indices` into `images`, (B, S, S, 3), and gives their objects.

        An image of index -1 is black and has none.
        """
        boxes = np.zeros((len(indices), self.max_boxes, 4), np.float32)
        labels = np.full((len(indices), self.max_boxes), -1, np.int32)
        suspects: list[int] = []
        for row, index in enumerate(indices.tolist()):
            if index < 0:
                images[row] = 0
                continue
            images[row], annotation = self._augmented(index, epoch, suspects)
            rows = self._largest(annotation)
            boxes[row, : len(rows)] = annotation.boxes[rows]
            labels[row, : len(rows)] = annotation.labels[rows]
        return Objects(boxes, labels, suspects)

    def _augmented(self, index: int, epoch: int, suspects: list[int]) -> tuple[NDArray[np.uint8], Annotation]:
        picture = self._picture(index, suspects)
        if self.augmentation is None:
            return picture.image, picture.annotation
        sample = self.augmentation(picture, (self.seed, epoch, index))
        return self.resized(sample.image), sample.annotation

    def _picture(self, index: int, suspects: list[int]) -> "_Kept":
        return _Kept(self, index, _without_crowds(self.dataset.annotations[index]), suspects)

    def decoded(self, index: int, reduction: int, suspects: list[int]) -> NDArray[np.uint8]:
        """From the cache or the file; see `Dataset.decoded`."""
        image = self.cache.get(index, reduction) if self.cache is not None else None
        if image is not None:
            return image
        written = native_output_size()
        image = self.dataset.decoded(index, reduction)
        if native_output_size() != written:
            suspects.append(index)
        stands_for = {1, reduction} if _is_whole(image, self.dataset.annotations[index]) else {reduction}
        if self.augmentation is None:
            image = self.resized(image)
        if self.cache is not None:
            self.cache.put(index, image, *stands_for)
        return image

    def resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(S, S, 3), linearly."""
        size = (self.image_size, self.image_size)
        return image if image.shape[:2] == size else cv2.resize(image, size)  # type: ignore[return-value]

    def _largest(self, annotation: Annotation) -> NDArray[np.intp]:
        """All rows, or the M largest in their order: only an augmentation that repeats objects can have more."""
        rows = np.arange(len(annotation.boxes))
        if len(rows) > self.max_boxes:
            rows = np.sort(np.argsort(-annotation.areas, kind="stable")[: self.max_boxes])
        return rows


@dataclass(frozen=True, eq=False)
class _Kept:
    """A picture of a loader's data set."""

    loader: Loader
    index: int
    annotation: Annotation
    suspects: list[int]

    @property
    def image(self) -> NDArray[np.uint8]:
        return self.reduced(1)[0]

    def reduced(self, reduction: int) -> tuple[NDArray[np.uint8], int]:
        image = self.loader.decoded(self.index, reduction, self.suspects)
        return image, 1 if _is_whole(image, self.annotation) else reduction

    def other(self, number: int) -> "_Kept":
        return self.loader._picture(number % len(self.loader.dataset), self.suspects)


def _is_whole(image: NDArray[np.uint8], annotation: Annotation) -> bool:
    return image.shape[:2] == (annotation.height, annotation.width)


def _without_crowds(annotation: Annotation) -> Annotation:
    return annotation.select(~annotation.crowd) if annotation.crowd.any() else annotation
