"""From a data set to batches: in which order, and as tensors; `loader` makes them, `workers` says where."""

import logging
import math
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.cluster import LONE, Member
from ssd.cores import available_cores
from ssd.data.augmentation import Augmentation
from ssd.data.formats import REDUCTIONS
from ssd.data.loader import Augment, Loader
from ssd.data.sample import Dataset
from ssd.data.workers import make_workers
from ssd.errors import UserError

record = logging.getLogger("ssd.record")  # into run.log only

Batch = Mapping[str, tf.Tensor]  # see `Batches.epoch`

BOX_MULTIPLE = 8  # the padded number of boxes; a round number, so that similar data sets share compiled graphs


class Batches:
    """Batches of a data set, epoch by epoch, of static shapes.

    Which images an epoch has, in which order, and how each is augmented follows from (seed, epoch) alone: not from the
    number of workers, nor from where in the epoch one starts; nor from how many processes share each batch, of which
    each makes its part.

    Args:
        dataset: crowd objects in it never reach a batch; difficult ones do.
        image_size: S, side in pixels of the images given; aspect is not kept, interpolation is linear (as in Caffe's
            and torchvision's SSD) unless the augmentation already gave images of this size.
        batch_size: of all processes that share a batch; B, what this one has of it, is its part.
        augmentation: applied to each image before resizing, seeded with (seed, epoch, index); None: images as they are.
        shuffle: each epoch in a new order, a permutation of the whole set; False: in the data set's order.
        seed: any integer.
        workers: that decode and augment, see `make_workers`; None: one per core this process may use.
        cache_gb: at most this much of decoded images is kept in memory, in 10^9 bytes. Without augmentation the
            resized images are kept.
        drop_remainder: True: images that do not fill the last batch are left out of this epoch; False: the last batch
            is filled with black images of index -1 without objects.
        limit: at most this many batches per epoch.
        member: this process among those that share each batch.

    Attributes:
        suspects: images of an epoch so far, at whose decoding a library had something to write: `warn_of_damage`.

    Raises:
        UserError: there is no image, or drop_remainder and not enough images for one batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        image_size: int,
        batch_size: int,
        augmentation: Augment | None,
        shuffle: bool,
        seed: int,
        workers: int | None,
        cache_gb: float,
        drop_remainder: bool,
        limit: int | None = None,
        member: Member = LONE,
    ) -> None:
        if len(dataset) == 0:
            raise UserError(f"the data set {dataset.name} has no images: check its path and splits")
        if drop_remainder and len(dataset) < batch_size:
            raise UserError(
                f"training.batch_size is {batch_size}, but {dataset.name} has only {len(dataset)} images:"
                f" set it to {len(dataset)} or less"
            )
        self.dataset = dataset
        self.image_size = image_size
        self.batch_size = batch_size
        self.member = member
        self.max_boxes = _padded_boxes(dataset, augmentation.pictures if isinstance(augmentation, Augmentation) else 1)
        self.suspects: set[int] = set()
        self._shuffle = shuffle
        self._seed = seed
        # the workers are the parallelism; OpenCV's own threads would only compete with them and with TensorFlow's
        cv2.setNumThreads(1)
        loader = Loader(dataset, image_size, self.max_boxes, augmentation, seed)
        cache_bytes = int(min(cache_gb * 1e9, _all_images(dataset, image_size if augmentation is None else None)))
        self._workers = make_workers(loader, workers or available_cores(), self.part, cache_bytes)
        batches = len(dataset) / batch_size
        self._length = math.floor(batches) if drop_remainder else math.ceil(batches)
        if limit is not None:
            self._length = min(self._length, limit)

    @property
    def part(self) -> int:
        """B: how many images of a batch this process has."""
        return self.batch_size // self.member.count

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._length

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Iterates over the batches `start`, `start + 1`, ... of an epoch, the same as those of the whole epoch.

        While one is used, the next ones are made.

        Args:
            epoch: 0-based.
            start: batches to leave out, which costs nothing.

        Yields:
            image: (B, S, S, 3) uint8 RGB.
            boxes: (B, M, 4) float32, normalised ymin, xmin, ymax, xmax; zeros for padding.
            labels: (B, M) int32, -1 for padding. M is fixed for the data set.
            index: (B,) int32, the image's row in the data set, -1 for a padding image.

        Raises:
            UserError: (or whatever else happened) reading or augmenting an image of the batch failed.
        """
        indices = self.indices(epoch).reshape(-1, self.member.count, self.part)[start:, self.member.index]
        try:
            for index, (images, objects) in zip(indices, self._workers.filled(list(indices), epoch), strict=True):
                self.suspects.update(objects.suspects)
                arrays = {"image": images, "boxes": objects.boxes, "labels": objects.labels, "index": index}
                yield {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
        except UserError as error:
            if error.__cause__ is not None:  # as of a user's own transform
                record.error("%s", error, exc_info=error.__cause__)
            raise

    def indices(self, epoch: int) -> NDArray[np.int32]:
        """(len(self) * batch_size,) the images of an epoch in their order, -1 for padding images."""
        count = len(self.dataset)
        rows = np.random.default_rng((self._seed % 2**64, epoch)).permutation(count) if self._shuffle else range(count)
        indices = np.full(self._length * self.batch_size, -1, np.int32)
        used = min(count, len(indices))
        indices[:used] = rows[:used]
        return indices


def _padded_boxes(dataset: Dataset, pictures: int) -> int:
    """The largest number of objects of so many images without crowds, rounded up."""
    columns = dataset.columns
    most = int(np.sort(np.bincount(columns.images[~columns.crowd], minlength=1))[-pictures:].sum())
    return BOX_MULTIPLE * math.ceil(max(most, 1) / BOX_MULTIPLE)


def _all_images(dataset: Dataset, size: int | None) -> float:
    """Bytes that all images take, decoded also at their reduced sizes, or as squares of `size` pixels."""
    if size is not None:
        return len(dataset) * (3 * size**2 + _ENTRY)
    pixels = float(dataset.columns.sizes.astype(np.float64).prod(axis=1).sum())
    return 1.5 * 3 * pixels + len(REDUCTIONS) * len(dataset) * _ENTRY


_ENTRY = 1024  # bytes that an entry of the cache takes beyond its pixels, at most
