"""A trained detector at work: any image in, detections out. The one way for programs, tasks and servers."""

import os
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
from PIL import Image

from ssd.data.images import MAX_PIXELS
from ssd.errors import UserError
from ssd.inference.detections import Detections
from ssd.inference.network import Network
from ssd.inference.views import Views, detect
from ssd.prediction.flow import ahead
from ssd.prediction.image_detections import ImageDetections, label_of
from ssd.prediction.loading import load_network
from ssd.prediction.pictures import ImageLike, Picture, is_address, read_picture

_PIXELS_TOGETHER = 50_000_000  # of the images of a batch: larger ones pass in smaller batches


class Detector:
    """Detects objects in images of any size.

    Args:
        network: what detects in images of its own size.
        score_threshold: the least score of a detection.
        class_thresholds: class name → the least score of its detections, in the place of the other.
        flip: also looks at the mirrored image; both results become one by non-maximum suppression.
        tile: also looks at square tiles of so many pixels, see `ssd.inference.views`: for images far larger than the
            network's input with small objects in them. None: at the whole image only.
        tile_overlap: share of a tile's side that the next one covers, too.
        batch_size: images, or tiles, that pass the network together.
        max_pixels: of an image, height times width; larger ones are refused before they are decoded.

    Raises:
        UserError: a setting is out of its range, or of a class that the detector does not have.
    """

    def __init__(
        self,
        network: Network,
        *,
        score_threshold: float = 0.5,
        class_thresholds: Mapping[str, float] | None = None,
        flip: bool = False,
        tile: int | None = None,
        tile_overlap: float = 0.2,
        batch_size: int = 8,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        if tile is not None and tile < 1:
            raise UserError(f"tile={tile} must be at least 1")
        if not 0 <= tile_overlap < 1:
            raise UserError(f"tile_overlap={tile_overlap} must be at least 0 and below 1")
        if batch_size < 1:
            raise UserError(f"batch_size={batch_size} must be at least 1")
        self.network = network
        self._score_threshold = _share("score_threshold", score_threshold)
        self._class_thresholds = {
            label_of(name, network.class_names): _share(f"class_thresholds[{name!r}]", threshold)
            for name, threshold in (class_thresholds or {}).items()
        }
        self._views = Views(flip, tile, tile_overlap)
        self._batch_size = batch_size
        self._read = partial(read_picture, max_pixels=max_pixels)

    @classmethod
    def load(cls, where: str | os.PathLike[str], *, runtime: str = "auto", **settings: Any) -> "Detector":
        """A trained detector, from wherever it lies.

        Args:
            where: the folder of a run (`outputs/latest`), a checkpoint (`.keras`), a file that task=export wrote
                (.onnx, .xml, .tflite, or the folder of a SavedModel), `models:/NAME@ALIAS`,
                `models:/NAME/VERSION` or `runs:/ID/model` of MLflow (its address as MLflow itself knows it:
                MLFLOW_TRACKING_URI), or `torchvision:FILE`, `torchvision:NAME`, `amdegroot:FILE` (docs/pretrained.md).
            runtime: what runs the network: keras, openvino, onnxruntime, litert; auto takes OpenVINO on a processor and
                Keras on a GPU (docs/predict.md). An exported file has its own.
            settings: score_threshold, class_thresholds, flip, tile, tile_overlap, batch_size, max_pixels: of the class.

        Raises:
            UserError: there is no detector there, or a setting is wrong.
        """
        return cls(load_network(where, settings.get("batch_size", 8), runtime), **settings)

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return self.network.class_names

    # str, bytes and arrays are iterable, too
    @overload
    def __call__(self, images: ImageLike, score_threshold: float | None = None) -> ImageDetections: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, images: Iterable[ImageLike], score_threshold: float | None = None) -> list[ImageDetections]: ...
    def __call__(
        self, images: ImageLike | Iterable[ImageLike], score_threshold: float | None = None
    ) -> ImageDetections | list[ImageDetections]:
        """Detections of an image, or a list of those of each of several.

        Args:
            images: a path, an address (http, https), the bytes of a file, an image of Pillow or a uint8 array (H, W, 3)
                in RGB, also grey (H, W) or with alpha (H, W, 4), which is dropped; or a list or other iterable of
                these, also an array (N, H, W, 3). All but arrays are turned as their EXIF says.
            score_threshold: in the place of the detector's own, for this call.

        Raises:
            UserError: an image that cannot be read, is too large or none at all.
        """
        if _is_one(images):
            return next(self.detect_in([self._read(images)], score_threshold, batch_size=1))
        return list(self.stream(images, score_threshold))  # type: ignore[arg-type]

    def stream(self, images: Iterable[ImageLike], score_threshold: float | None = None) -> Iterator[ImageDetections]:
        """Detections of each image, in order, of any number of them: the next ones are decoded while the network runs.

        Raises:
            UserError: as of a call, when the image's turn comes.
        """
        pictures = ahead(self._read, images, threads=1, depth=self._batch_size)
        return self.detect_in(pictures, score_threshold)

    def detect_in(
        self, pictures: Iterable[Picture], score_threshold: float | None = None, batch_size: int | None = None
    ) -> Iterator[ImageDetections]:
        """`stream` of decoded images; with a `batch_size` of 1 each is answered before the next is taken.

        Of several the next batch is resized, and has begun to pass the network, before the one before is done.
        """
        thresholds = self._thresholds(score_threshold)
        least, size = float(thresholds.min()), batch_size or self._batch_size

        def found_in(part: list[Picture]) -> tuple[list[Picture], list[Detections]]:
            images = [picture.image for picture in part]
            return part, detect(self.network, images, self._views, least, self._batch_size)

        parts = _parts(pictures, size)
        for part, every in map(found_in, parts) if size == 1 else ahead(found_in, parts, threads=2, depth=2):
            for picture, found in zip(part, every, strict=True):
                sure = found[found.scores >= thresholds[found.labels]]
                yield ImageDetections(
                    sure.boxes,
                    sure.labels,
                    sure.scores,
                    class_names=self.class_names,
                    image_size=picture.image.shape[:2],
                    path=picture.path,
                    image=picture.image if picture.path is None or is_address(picture.path) else None,
                )

    def _thresholds(self, score_threshold: float | None) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The least score of each class."""
        general = self._score_threshold if score_threshold is None else _share("score_threshold", score_threshold)
        least = np.full(len(self.class_names), general, np.float32)
        for label, threshold in self._class_thresholds.items():
            least[label] = threshold
        return least


def _is_one(images: Any) -> bool:
    if isinstance(images, np.ndarray):
        return images.ndim != 4
    if isinstance(images, str | os.PathLike | Path | bytes | bytearray | memoryview | Image.Image):
        return True
    return not isinstance(images, Iterable)


def _parts(pictures: Iterable[Picture], size: int) -> Iterator[list[Picture]]:
    """In lists of at most so many, of fewer where they are large."""
    part: list[Picture] = []
    for picture in pictures:
        part.append(picture)
        if len(part) == size or sum(one.image.size // 3 for one in part) > _PIXELS_TOGETHER:
            yield part
            part = []
    if part:
        yield part


def _share(key: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise UserError(f"{key}={value} must be between 0 and 1")
    return float(value)
