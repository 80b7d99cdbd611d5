"""From a data set to batches: shuffle, decode, augment, resize, pad and prefetch."""

import logging
import math
import threading
import weakref
from collections.abc import Iterator, Mapping

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from ssd.cores import available_cores
from ssd.data.augmentation import Augmentation
from ssd.data.sample import Annotation, Dataset, Sample
from ssd.errors import UserError
from ssd.native_output import native_output_size

record = logging.getLogger("ssd.record")  # into run.log only

Batch = Mapping[str, tf.Tensor]  # see `Batches.epoch`

PREFETCHED_BATCHES = 2
BOX_MULTIPLE = 8  # the padded number of boxes; a round number, so that similar data sets share compiled graphs


class Batches:
    """Batches of a data set, epoch by epoch, of static shapes.

    Which images an epoch has, in which order, and how each is augmented follows from (seed, epoch) alone: not from the
    number of workers, nor from where in the epoch one starts.

    Args:
        dataset: crowd objects in it never reach a batch; difficult ones do.
        image_size: S, side in pixels of the images given; aspect is not kept, interpolation is linear (as in Caffe's
            and torchvision's SSD) unless the augmentation already gave images of this size.
        batch_size: B.
        augmentation: applied to each image before resizing, seeded with (seed, epoch, index); None: images as they are.
        shuffle: each epoch in a new order, a permutation of the whole set; False: in the data set's order.
        seed: any integer.
        workers: threads that decode and augment; None: one per core this process may use.
        cache_gb: at most this much of decoded images is kept in memory, in 10^9 bytes. Without augmentation the
            resized images are kept.
        drop_remainder: True: images that do not fill the last batch are left out of this epoch; False: the last batch
            is filled with black images of index -1 without objects.
        limit: at most this many batches per epoch.

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
        augmentation: Augmentation | None,
        shuffle: bool,
        seed: int,
        workers: int | None,
        cache_gb: float,
        drop_remainder: bool,
        limit: int | None = None,
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
        self.max_boxes = _padded_boxes(dataset)
        self.suspects: set[int] = set()
        self._augmentation = augmentation
        self._shuffle = shuffle
        self._seed = seed
        self._workers = workers or available_cores()
        self._cache = _Cache(int(cache_gb * 1e9))
        batches = len(dataset) / batch_size
        self._length = math.floor(batches) if drop_remainder else math.ceil(batches)
        if limit is not None:
            self._length = min(self._length, limit)
        # the workers are the parallelism; OpenCV's own threads would only compete with them and with TensorFlow's
        cv2.setNumThreads(1)

    def __len__(self) -> int:
        """Batches per epoch."""
        return self._length

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Iterates over the batches `start`, `start + 1`, ... of an epoch, the same as those of the whole epoch.

        An iterator and not a `tf.data.Dataset`, because an exception that leaves a dataset has lost its type.

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
        failures: dict[int, Exception] = {}
        for batch in self._tf_dataset(epoch, start, failures):
            if failures:
                for index in batch["index"].numpy().tolist():
                    if index in failures:
                        if (cause := failures[index].__cause__) is not None:  # as of a user's own transform
                            record.error("%s", failures[index], exc_info=cause)
                        raise failures[index]
            yield batch

    def indices(self, epoch: int) -> NDArray[np.int32]:
        """(len(self) * B,) the images of an epoch in their order, -1 for padding images."""
        count = len(self.dataset)
        rows = np.random.default_rng((self._seed % 2**64, epoch)).permutation(count) if self._shuffle else range(count)
        indices = np.full(self._length * self.batch_size, -1, np.int32)
        used = min(count, len(indices))
        indices[:used] = rows[:used]
        return indices

    def _tf_dataset(self, epoch: int, start: int, failures: dict[int, Exception]) -> tf.data.Dataset:
        # TensorFlow never forgets a function given to numpy_function; this way it does not keep the cache with it
        batches = weakref.proxy(self)

        def load(index: NDArray[np.int32]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
            try:
                return batches._load(int(index), epoch)
            except Exception as error:  # all: out of a dataset it would come as a tf.errors without its type
                failures[int(index)] = error
                return batches._padding()

        def example(index: tf.Tensor) -> dict[str, tf.Tensor]:
            image, boxes, labels = tf.numpy_function(load, [index], (tf.uint8, tf.float32, tf.int32), stateful=False)
            return {
                "image": tf.ensure_shape(image, (self.image_size, self.image_size, 3)),
                "boxes": tf.ensure_shape(boxes, (self.max_boxes, 4)),
                "labels": tf.ensure_shape(labels, (self.max_boxes,)),
                "index": index,
            }

        data = tf.data.Dataset.from_tensor_slices(self.indices(epoch)[start * self.batch_size :])
        data = data.map(example, num_parallel_calls=self._workers, deterministic=True)
        data = data.batch(self.batch_size, drop_remainder=True)  # exact already: makes the batch dimension static
        options = tf.data.Options()
        # Parallelism and prefetching are fixed, so there is nothing to tune; and with the tuner's thread running,
        # epochs ended up to 20 s late (docs/measurements.md).
        options.autotune.enabled = False
        options.threading.private_threadpool_size = self._workers  # blocked workers must not block TensorFlow's pool
        return data.with_options(options).prefetch(PREFETCHED_BATCHES)

    def _load(self, index: int, epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
        """One image with its padded boxes and labels; `index` -1 is a padding image."""
        if index < 0:
            return self._padding()
        annotation = _without_crowds(self.dataset.annotations[index])
        image = self._cache.get(index)
        if image is None:
            written = native_output_size()
            image = self.dataset[index].image
            if native_output_size() != written:
                self.suspects.add(index)
            if self._augmentation is None:
                image = self._resized(image)
            self._cache.put(index, image)
        if self._augmentation is not None:
            sample = self._augmentation(Sample(image, annotation), (self._seed, epoch, index))
            image, annotation = self._resized(sample.image), sample.annotation
        return image, *self._padded(annotation)

    def _resized(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = (self.image_size, self.image_size)
        return image if image.shape[:2] == size else cv2.resize(image, size)  # type: ignore[return-value]

    def _padded(self, annotation: Annotation) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Boxes (M, 4) and labels (M,). Only an augmentation that repeats objects can have more than M: the largest."""
        rows = np.arange(len(annotation.boxes))
        if len(rows) > self.max_boxes:
            rows = np.sort(np.argsort(-annotation.areas, kind="stable")[: self.max_boxes])
        boxes = np.zeros((self.max_boxes, 4), np.float32)
        labels = np.full(self.max_boxes, -1, np.int32)
        boxes[: len(rows)] = annotation.boxes[rows]
        labels[: len(rows)] = annotation.labels[rows]
        return boxes, labels

    def _padding(self) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32]]:
        return (
            np.zeros((self.image_size, self.image_size, 3), np.uint8),
            np.zeros((self.max_boxes, 4), np.float32),
            np.full(self.max_boxes, -1, np.int32),
        )


class _Cache:
    """Images by index, until a number of bytes is reached: then it takes no more, since each is used once an epoch."""

    def __init__(self, max_bytes: int) -> None:
        self._free = max_bytes
        self._images: dict[int, NDArray[np.uint8]] = {}
        self._lock = threading.Lock()

    def get(self, index: int) -> NDArray[np.uint8] | None:
        return self._images.get(index)

    def put(self, index: int, image: NDArray[np.uint8]) -> None:
        with self._lock:
            if index not in self._images and image.nbytes <= self._free:
                self._free -= image.nbytes
                self._images[index] = image


def _without_crowds(annotation: Annotation) -> Annotation:
    return annotation.select(~annotation.crowd) if annotation.crowd.any() else annotation


def _padded_boxes(dataset: Dataset) -> int:
    """The largest number of objects of an image without crowds, rounded up."""
    most = max(int(np.count_nonzero(~annotation.crowd)) for annotation in dataset.annotations)
    return BOX_MULTIPLE * math.ceil(max(most, 1) / BOX_MULTIPLE)
