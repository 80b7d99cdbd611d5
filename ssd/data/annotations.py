"""What is annotated: the objects of one image, and those of a whole data set as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


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
class Annotations(Sequence[Annotation]):
    """The annotations of I images with N objects, as few arrays: for COCO a twentieth of the memory of as many objects.

    `annotations[i]` is made when it is asked for; its arrays are views.

    Attributes:
        ids: I names.
        sizes: (I, 2) int32, height and width in pixels.
        starts: (I + 1,) int64: the objects of image `i` are rows `starts[i]` to `starts[i + 1]` of the columns.
        boxes, labels, difficult, crowd, areas: (N, 4) and (N,), as in `Annotation`.
    """

    ids: Sequence[str]
    sizes: NDArray[np.int32]
    starts: NDArray[np.int64]
    boxes: NDArray[np.float32]
    labels: NDArray[np.int32]
    difficult: NDArray[np.bool_]
    crowd: NDArray[np.bool_]
    areas: NDArray[np.float32]

    @classmethod
    def of(cls, annotations: Sequence[Annotation]) -> "Annotations":
        """The same annotations as columns."""
        if isinstance(annotations, cls):
            return annotations

        def joined(empty: Any, columns: Any) -> Any:
            return np.concatenate([empty, *columns], dtype=empty.dtype)

        return cls(
            [item.id for item in annotations],
            np.array([(item.height, item.width) for item in annotations], np.int32).reshape(-1, 2),
            np.cumsum([0, *(len(item.labels) for item in annotations)], dtype=np.int64),
            joined(np.zeros((0, 4), np.float32), (item.boxes for item in annotations)),
            joined(np.zeros(0, np.int32), (item.labels for item in annotations)),
            joined(np.zeros(0, np.bool_), (item.difficult for item in annotations)),
            joined(np.zeros(0, np.bool_), (item.crowd for item in annotations)),
            joined(np.zeros(0, np.float32), (item.areas for item in annotations)),
        )

    def check(self, classes: int) -> None:
        """Whether all fits together, of what was read from a file.

        Args:
            classes: C, how many there are.

        Raises:
            ValueError: shapes or types differ from those said above, a label is none of C, or a box not inside [0, 1].
        """
        images, objects = len(self.ids), len(self.labels)
        wanted = {
            "sizes": ((images, 2), np.int32),
            "starts": ((images + 1,), np.int64),
            "boxes": ((objects, 4), np.float32),
            "labels": ((objects,), np.int32),
            "difficult": ((objects,), np.bool_),
            "crowd": ((objects,), np.bool_),
            "areas": ((objects,), np.float32),
        }
        for name, (shape, kind) in wanted.items():
            column = getattr(self, name)
            if column.shape != shape or column.dtype != kind:
                raise ValueError(f"{name} are {column.dtype} {column.shape} and not {np.dtype(kind)} {shape}")
        if self.starts[0] != 0 or self.starts[-1] != objects or (self.counts < 0).any():
            raise ValueError("starts do not rise from 0 to the number of objects")
        corners = self.boxes[:, :2], self.boxes[:, 2:]
        inside = (corners[0] >= 0) & (corners[0] < corners[1]) & (corners[1] <= 1)
        if not inside.all() or not ((self.labels >= 0) & (self.labels < classes)).all() or (self.sizes < 1).any():
            raise ValueError("a box, label or size is outside of its range")

    @property
    def counts(self) -> NDArray[np.int64]:
        """(I,) objects of each image."""
        return np.diff(self.starts)

    @property
    def images(self) -> NDArray[np.int64]:
        """(N,) the image that each object is in."""
        return np.repeat(np.arange(len(self)), self.counts)

    def select(self, kept: NDArray[np.bool_]) -> "Annotations":
        """The same images with some of their objects: `kept` is a mask over all."""
        counts = np.bincount(self.images[kept], minlength=len(self))
        return replace(
            self,
            starts=np.concatenate([[0], np.cumsum(counts)]),
            boxes=self.boxes[kept],
            labels=self.labels[kept],
            difficult=self.difficult[kept],
            crowd=self.crowd[kept],
            areas=self.areas[kept],
        )

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Annotation: ...
    @overload
    def __getitem__(self, index: slice) -> "Sequence[Annotation]": ...
    def __getitem__(self, index: int | slice) -> "Annotation | Sequence[Annotation]":
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        name = self.ids[index]  # raises IndexError, which also ends an iteration
        row = index % len(self)
        height, width = self.sizes[row].tolist()
        begin, end = self.starts[row : row + 2].tolist()
        columns = (self.boxes, self.labels, self.difficult, self.crowd, self.areas)
        return Annotation(name, height, width, *(column[begin:end] for column in columns))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Annotation]:
        columns = (self.boxes, self.labels, self.difficult, self.crowd, self.areas)
        bounds = pairwise(self.starts.tolist())
        for name, (height, width), (begin, end) in zip(self.ids, self.sizes.tolist(), bounds, strict=True):
            yield Annotation(name, height, width, *(column[begin:end] for column in columns))  # type: ignore[arg-type]
