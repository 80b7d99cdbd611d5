"""What was found in one image, for those who use it."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self, overload

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ssd.errors import UserError, nearest
from ssd.inference.detections import Detections
from ssd.prediction.pictures import read_picture

_QUALITY = 95  # of JPEGs that are written


class Detection(NamedTuple):
    """One object.

    Attributes:
        class_name, label: its class, and the index of that among the detector's class names.
        score: in [0, 1].
        box: xmin, ymin, xmax, ymax in pixels.
    """

    class_name: str
    label: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ImageDetections(Detections):
    """The detections in one image, highest score first, with all that is needed to use them.

    Besides `boxes` (fractions ymin, xmin, ymax, xmax), `labels` and `scores`, see `Detections`; boxes are of the
    upright image. An index gives a `Detection`; a slice, a mask or an array of indices some of them; iteration each.

    Attributes:
        class_names: of the detector, in label order.
        image_size: height and width in pixels, upright.
        path: the file or address; None for pixels or bytes.
        image: (H, W, 3) uint8 RGB where it was not a file; else None, and `draw` reads the file again.
    """

    class_names: tuple[str, ...]
    image_size: tuple[int, int]
    path: str | None = None
    image: NDArray[np.uint8] | None = field(default=None, repr=False)

    @overload  # type: ignore[override]  # an index alone is of no use to a metric
    def __getitem__(self, rows: int) -> Detection: ...
    @overload
    def __getitem__(self, rows: Any) -> Self: ...
    def __getitem__(self, rows: Any) -> Detection | Self:
        if isinstance(rows, int | np.integer):
            label = int(self.labels[rows])
            xmin, ymin, xmax, ymax = self.xyxy[rows].tolist()
            return Detection(self.class_names[label], label, float(self.scores[rows]), (xmin, ymin, xmax, ymax))
        return super().__getitem__(rows)

    def __iter__(self) -> Iterator[Detection]:
        return (self[row] for row in range(len(self)))

    @property
    def xyxy(self) -> NDArray[np.float32]:
        """(N, 4) float32 boxes in pixels: xmin, ymin, xmax, ymax."""
        height, width = self.image_size
        return self.boxes[:, [1, 0, 3, 2]] * np.array([width, height, width, height], np.float32)

    @property
    def names(self) -> list[str]:
        """The class name of each detection."""
        return [self.class_names[label] for label in self.labels]

    def filter(
        self,
        classes: str | Collection[str] | None = None,
        score: float | None = None,
        region: tuple[float, float, float, float] | None = None,
    ) -> "ImageDetections":
        """Those that meet all that is given.

        Args:
            classes: a class name, or several.
            score: the least.
            region: xmin, ymin, xmax, ymax in pixels, in which (its border included) a box's centre must lie.

        Raises:
            UserError: a class that the detector does not have.
        """
        keep = np.ones(len(self), bool)
        if classes is not None:
            wanted = [classes] if isinstance(classes, str) else list(classes)
            keep &= np.isin(self.labels, [label_of(name, self.class_names) for name in wanted])
        if score is not None:
            keep &= self.scores >= score
        if region is not None:
            centres = (self.xyxy[:, :2] + self.xyxy[:, 2:]) / 2
            keep &= np.all((centres >= region[:2]) & (centres <= region[2:]), axis=1)
        return self[keep]

    def draw(self) -> Image.Image:
        """The upright image with all boxes, classes and scores drawn.

        Raises:
            UserError: its file is gone.
        """
        from ssd.figures.drawing import draw_detections  # which detecting does not need

        return Image.fromarray(draw_detections(self._pixels(), self, self.class_names))

    def save_crops(self, folder: str | Path) -> list[Path]:
        """Writes each object as a JPEG, FOLDER/CLASS/IMAGE_NUMBER.jpg; a file that is there already stays.

        Returns:
            The files, one per detection.

        Raises:
            UserError: the image's file is gone.
        """
        stem = Path(self.path).stem if self.path is not None else "image"
        return [
            write_new(crop, Path(folder, file_name(detection.class_name), f"{file_name(stem)}_{number}.jpg"))
            for number, (crop, detection) in enumerate(zip(self.crops(), self, strict=True), start=1)
        ]

    def crops(self) -> Iterator[NDArray[np.uint8]]:
        """The pixels of each object, (h, w, 3) uint8 RGB: all that its box touches, at least one."""
        image = self._pixels() if len(self) else np.zeros((1, 1, 3), np.uint8)
        height, width = self.image_size
        for xmin, ymin, xmax, ymax in self.xyxy.tolist():
            left, top = (int(min(max(low, 0), side - 1)) for low, side in ((xmin, width), (ymin, height)))
            right, bottom = (int(np.ceil(min(high, side))) for high, side in ((xmax, width), (ymax, height)))
            yield image[top : max(bottom, top + 1), left : max(right, left + 1)]

    def to_coco(self, image_id: int = 1) -> list[dict[str, Any]]:
        """COCO's format of results: bbox is xmin, ymin, width, height in pixels, category_id is label + 1."""
        return [
            {
                "image_id": image_id,
                "category_id": detection.label + 1,
                "bbox": [xmin, ymin, xmax - xmin, ymax - ymin],
                "score": detection.score,
            }
            for detection in self
            for xmin, ymin, xmax, ymax in [detection.box]
        ]

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of class_name, label, score, xmin, ymin, xmax, ymax (pixels).

        Raises:
            UserError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise UserError("to_pandas needs pandas, which is not installed: pip install pandas") from error
        rows = [(one.class_name, one.label, one.score, *one.box) for one in self]
        return pd.DataFrame(rows, columns=["class_name", "label", "score", "xmin", "ymin", "xmax", "ymax"])

    def to_supervision(self) -> Any:
        """A `supervision.Detections`, class names in `data["class_name"]`.

        Raises:
            UserError: supervision is not installed.
        """
        try:
            import supervision as sv
        except ImportError as error:
            raise UserError(
                "to_supervision needs supervision, which is not installed: pip install supervision"
            ) from error
        return sv.Detections(
            xyxy=self.xyxy,
            confidence=self.scores,
            class_id=self.labels.astype(int),
            data={"class_name": np.array(self.names, dtype=str)},
        )

    def in_words(self) -> str:
        """E.g. "3 cat, 1 dog"."""
        return ", ".join(f"{self.names.count(name)} {name}" for name in dict.fromkeys(self.names)) or "nothing"

    def _pixels(self) -> NDArray[np.uint8]:
        if self.image is not None:
            return self.image
        assert self.path is not None, "detections without a file have their image"
        image = read_picture(self.path, max_pixels=self.image_size[0] * self.image_size[1]).image
        if image.shape[:2] != self.image_size:
            raise UserError(f"{self.path} has changed since it was detected in: detect again")
        return image


def label_of(name: str, class_names: tuple[str, ...]) -> int:
    """The index of a class.

    Raises:
        UserError: there is no such one.
    """
    if name not in class_names:
        raise UserError(f"the detector has no class {name!r}{nearest(str(name), class_names)}")
    return class_names.index(name)


def file_name(text: str) -> str:
    """The text as a part of a file's name, without what separates folders or begins a hidden one."""
    return re.sub(r"[^\w.,+ -]+", "-", text)[:100].strip(" .") or "-"


def encode_jpeg(image: NDArray[np.uint8]) -> bytes:
    """A JPEG of an image (H, W, 3) in RGB."""
    options = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)[1].tobytes()


def write_new(image: NDArray[np.uint8], file: Path) -> Path:
    """Writes a JPEG; where there is a file of its name already, under the next that is free."""
    file.parent.mkdir(parents=True, exist_ok=True)
    data, place, number = encode_jpeg(image), file, 1
    while True:
        try:
            with place.open("xb") as stream:
                stream.write(data)
            return place
        except FileExistsError:
            number += 1
            place = file.with_stem(f"{file.stem}_{number}")
